"""The texts in Jinja templates: between their tags and in the attributes that people are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from scripts.texts.found import Found, is_text

_ATTRIBUTES = ("title", "aria-label", "placeholder", "alt")
_SKIPPED = frozenset({"style", "script", "code", "pre"})
_INLINE_CHOICE = re.compile(
    r"\{%-?\s*if\b[^%]*%\}([^{}<>]*?)(?:\{%-?\s*else\s*-?%\}([^{}<>]*?))?\{%-?\s*endif\s*-?%\}"
)
_EXPRESSION_CHOICE = re.compile(r"\{\{-?\s*\"([^\"]*)\" if [^{}]*? else \"([^\"]*)\"\s*-?\}\}")
_EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BREAK = "\x00"  # where a statement stood: what is beside it may come alone


def texts_of(path: Path, name: str) -> Iterator[Found]:
    """All texts of a template; a choice within a text gives each of its texts."""
    source = path.read_text(encoding="utf-8")
    for way in _ways(source):
        reader = _Reader()
        reader.feed(_EXPRESSION.sub(_hole, way))
        reader.close()
        for text in reader.texts:
            for part in text.split(_BREAK):
                clean = re.sub(r"\s+", " ", part).strip()
                if is_text(clean, shown=True):
                    yield Found(clean, name)


def _ways(source: str) -> Iterator[str]:
    """The template with its first choices taken, then its second; others as places to break at."""
    for place in (1, 2):
        text = _EXPRESSION_CHOICE.sub(rf"\g<{place}>", source)
        text = _INLINE_CHOICE.sub(rf"\g<{place}>", text)
        yield _STATEMENT.sub(_BREAK, text)


def _hole(found: re.Match[str]) -> str:
    literal = re.fullmatch(r"\"([^\"]*)\"", found[1])
    if literal:
        return literal[1]
    words = re.findall(r"[A-Za-z_]\w*", found[1].split("|")[0])
    if words and words[-1].isupper():
        return _BREAK  # a sign, drawn
    return "{%s}" % (words[-1].strip("_").lower() if words else "value")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._within.append(tag)
        self.texts += [value for key, value in attrs if key in _ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.texts.append(data)
