"""The page at `/`: our elements in its head, a nonce on its scripts, a policy that names it."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from qwen_ui.ui.page.access import AccessPolicy
from qwen_ui.ui.page.index_page import IndexPage
from qwen_ui.ui.page.modules import Additions

PAGE = (
    "<html><head><title>x</title><script>1</script></head>"
    "<body><gradio-app></gradio-app><script src='a'></script></body></html>"
)
ADDITIONS = Additions("<b>mine</b>", "<i>late</i>", "<u>seen first</u>")


def html(_: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", html), Route("/other", html)])
    return TestClient(IndexPage(app, ADDITIONS, AccessPolicy()))


def test_what_is_ours_is_put_into_the_page_and_into_nothing_else(client: TestClient) -> None:
    page = client.get("/").text
    assert page.startswith("<html><head><b>mine</b><title>x</title>")
    assert "</script><i>late</i></head><body><u>seen first</u><gradio-app>" in page
    assert client.get("/other").text == PAGE


def test_every_script_of_the_page_bears_the_nonce_of_its_policy(client: TestClient) -> None:
    answers = [client.get("/") for _ in range(2)]
    nonces = []
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        (nonce,) = re.findall(r"script-src 'self' 'nonce-([\w-]+)' 'unsafe-eval';", policy)
        assert re.findall(r"<script[^>]*>", answer.text) == [
            f'<script nonce="{nonce}">',
            f"<script nonce=\"{nonce}\" src='a'>",
        ]
        assert answer.headers["cache-control"] == "no-store"
        nonces.append(nonce)
    assert len(set(nonces)) == 2
