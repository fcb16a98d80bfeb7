"""A text that was found in a source, and texts with holes put together from their pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

MOST_VARIANTS = 24
_WORD = re.compile(r"[A-Za-z]{2,}")
# Two words with nothing but a space, a hole or marks between them; or one as a heading has it.
_PHRASE = re.compile(r"[A-Za-z]{2,}[^A-Za-z]* [^A-Za-z]*[a-z]{2,}|[A-Za-z]{2,} \{|\} [A-Za-z]{2,}")
_CAPITAL = re.compile(r"^[A-Z][a-z]+[ .:…?]*$")
# Patterns, selectors, classes, statements of SQL, messages of the log, code.
_MACHINE = re.compile(
    r"%s|</|/>|\\[bdswS(*]|\(\?:|\w\|\w|^q[a-z]*-[\w-]+|^\.q|^\[|^'self'"
    r"|^(?:CREATE|INSERT|DELETE|SELECT) "
    r"|^(?:set|export|exec|srun|python) |=> |; \)|^, \w+: |max-age|prefers-|use strict|system-ui"
    r"|^(?:span|pin) |^code, pre|^#+ |^- \w+: |^element\.|qwen_ui \w+ 1$"
)


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a text that is filled when it is shown."""

    name: str


Piece = str | Hole
Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A text, with `{name}` for its holes, and where it stands: `file:line`."""

    text: str
    place: str


def variants(choices: Sequence[Iterable[Pieces]]) -> list[Pieces]:
    """All ways through the choices, one after the other; the first ones where there are many."""
    ways: list[Pieces] = []
    for way in product(*choices):
        ways.append(tuple(piece for pieces in way for piece in pieces))
        if len(ways) == MOST_VARIANTS:
            break
    return ways


def written(pieces: Pieces) -> str:
    """The text with its holes named, no two of them alike."""
    names: dict[str, int] = {}
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        names[piece.name] = names.get(piece.name, 0) + 1
        count = names[piece.name]
        text += "{%s}" % (piece.name if count == 1 else f"{piece.name}{count}")
    return re.sub(r"\s+", " ", text).strip()


def is_text(text: str, *, shown: bool) -> bool:
    """Whether it is for people.

    Args:
        shown: it stands where texts for people stand, so that one word is enough.
    """
    bare = re.sub(r"\{\w+\}", "", text)
    if not _WORD.search(bare) or _MACHINE.search(text):
        return False
    if _PHRASE.search(text):
        return True
    return bool(_CAPITAL.match(text)) or (shown and bool(re.match(r"^[A-Za-z][a-z-]+$", text)))
