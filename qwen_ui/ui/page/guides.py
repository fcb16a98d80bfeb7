"""The documentation, served by the dashboard itself, in a checkout and in an installed package."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from qwen_ui.markup import render
from qwen_ui.paths import DOCS

# In the order in which a person comes to them; the other documents are reached by their links.
SHOWN = {
    "inspect": "Inspect",
    "freeze": "Freeze",
    "plan": "Plans",
    "price": "Price",
    "training": "Training runs",
    "runs": "Runs",
    "compare": "Compare",
    "dial": "The dial",
    "lint": "Other tools' files",
    "verify": "Verify",
    "library": "From Python",
    "programs": "For programs",
    "troubleshooting": "Troubleshooting",
}
# What documents show or link to, as a browser is told of it; all else of the folder stays there.
_TYPES = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".jsonl": "text/plain",
}


def guides() -> list[tuple[str, str]]:
    """(title, address) of each guide, in the order in which a person comes to them."""
    return [(title, f"./guides/{name}.md") for name, title in SHOWN.items() if _file(name)]


def guides_route() -> Route:
    """Answers with a document as a page of its own, or with what a document shows.

    Addresses are those of the files, so that links among the documents lead where they do on disk.
    """
    return Route("/guides/{path:path}", _answer)


def _file(name: str) -> Path | None:
    return _files().get(f"{name}.md")


def _files() -> dict[str, Path]:
    """By its address, each file that is served: nothing that is asked for becomes a path."""
    return {
        path.relative_to(DOCS).as_posix(): path
        for path in DOCS.rglob("*")
        if path.suffix in {".md", *_TYPES}
    }


def _answer(request: Request) -> Response:
    path = _files().get(request.path_params["path"])
    if path is None:
        return PlainTextResponse("There is no such guide.", 404)
    if path.suffix == ".md":
        return HTMLResponse(guide_html(path))
    return FileResponse(path, media_type=_TYPES[path.suffix])


def guide_html(path: Path) -> str:
    """A document as a page: its markdown, of which raw HTML is shown as text."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    title = path.stem
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", _anchor(inline.content))
            title = inline.content if opening.tag == "h1" else title
    for token in tokens:
        token.children = _served_links(token.children or [], path.parent)
    body = markdown.renderer.render(tokens, markdown.options, {})
    root = "../" * (len(path.relative_to(DOCS).parts) - 1)
    nav = [(name, f"{root}{file}.md") for file, name in SHOWN.items() if _file(file)]
    return render("page/guide.html", title=title, nav=nav, content=Markup(body))


def _served_links(tokens: list[Token], folder: Path) -> list[Token]:
    """The tokens of a line without the links that leave the documents: their words alone."""
    kept, leaves = [], False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href")).partition("#")[0]
            inside = (folder / target).resolve().is_relative_to(DOCS)
            leaves = not inside and "://" not in target
        if not (leaves and token.type in {"link_open", "link_close"}):
            kept.append(token)
    return kept


def _anchor(heading: str) -> str:
    """The name by which links reach a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
