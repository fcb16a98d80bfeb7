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

PAGE = "<html><head><title>x</title><script>1</script></head><script src='a'></script></html>"


def html(_: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", html), Route("/other", html)])
    return TestClient(IndexPage(app, "<b>mine</b>", AccessPolicy()))


def test_the_head_is_put_into_the_page_and_into_nothing_else(client: TestClient) -> None:
    assert client.get("/").text.startswith("<html><head><b>mine</b><title>x</title>")
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
