"""The documentation as the dashboard serves it: every link among the guides leads somewhere."""

from __future__ import annotations

import re
from html import unescape
from posixpath import join, normpath

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qwen_ui.ui.page.guides import SHOWN, guides, guides_route

LINK = re.compile(r'(?:href|src)="(?!https?:)([^"#]*)(?:#([^"]*))?"')


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=[guides_route()]))


def test_every_guide_that_is_named_is_there() -> None:
    assert [title for title, _ in guides()] == list(SHOWN.values())


def test_every_link_and_picture_of_the_guides_is_served(client: TestClient) -> None:
    seen: dict[str, str] = {}
    asked = {address.removeprefix(".") for _, address in guides()}
    fragments: set[tuple[str, str]] = set()
    while asked:
        address = asked.pop()
        answer = client.get(address)
        assert answer.status_code == 200, address
        is_page = answer.headers["content-type"].startswith("text/html")
        seen[address] = answer.text if is_page else ""
        for target, fragment in LINK.findall(seen[address]):
            found = normpath(join(address, "..", target)) if target else address
            asked |= {found} - set(seen)
            fragments |= {(found, unescape(fragment))} if fragment else set()
    assert {"/guides/seal.md", "/guides/images/inspect.png"} <= set(seen)
    assert fragments
    for address, fragment in fragments:
        assert f'id="{fragment}"' in seen[address], (address, fragment)


@pytest.mark.parametrize("path", ["nothing.md", "../README.md", "%2e%2e/README.md", "decisions"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/guides/{path}").status_code == 404
