"""The documentation, served by the dashboard itself where it lies beside the package."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from qwen_ui.markup import render
from qwen_ui.paths import PACKAGE

FOLDER = PACKAGE.parent / "docs"
# In the order in which a person comes to them.
SHOWN = {
    "inspect": "Inspect",
    "freeze": "Freeze",
    "plan": "Plans",
    "price": "Price",
    "training": "Training",
    "runs": "Runs",
    "compare": "Compare",
    "dial": "The dial",
    "library": "From Python",
    "programs": "For programs",
    "troubleshooting": "Troubleshooting",
}
_LINK = re.compile(r'href="([\w-]+)\.md(#[^"]*)?"')


def guides() -> list[tuple[str, str]]:
    """(title, address) of each guide that is here; an installed package brings none."""
    return [(title, f"./guides/{name}") for name, title in SHOWN.items() if _file(name).is_file()]


def guides_route() -> Route:
    """Answers with a guide as a page of its own."""
    return Route("/guides/{name}", _answer)


def _file(name: str) -> Path:
    return FOLDER / f"{name}.md"


def _answer(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in SHOWN or not _file(name).is_file():
        return PlainTextResponse("There is no such guide.", 404)
    return HTMLResponse(guide_html(name))


def guide_html(name: str) -> str:
    """A guide as a page: its markdown, of which raw HTML is shown as text."""
    text = _file(name).read_text(encoding="utf-8")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    # Links among the guides lead to guides; what else a text links to is not served here.
    body = _LINK.sub(lambda found: f'href="{found[1]}{found[2] or ""}"', body)
    return render("page/guide.html", title=SHOWN[name], content=Markup(body))
