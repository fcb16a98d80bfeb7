"""The one table of how people write samples: which columns of a row become which part.

A shape says so for every part of a sample: `prompt`, `completion`, `text`, `messages` as the file
has them, and `user`, `assistant` as turns of a conversation of one question. Columns that are
joined stand with `+` between them, and those that may be missing end in `?`. A person's own mapping
(`--columns`) is written the same way. What has no name in the table is refused, with its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from qwen_ui.data.conversations import looks_like_turns

Shape = dict[str, str]
# Part -> columns, by their names in the file.
Choice = dict[str, tuple[str, ...]]

MESSAGES = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "chat")
SYSTEM = "system? + system_prompt? + system_message?"
TOOLS = "tools? + functions?"
STRUCTURED = frozenset(
    {*MESSAGES, "history", "tools", "functions", "prompt", "completion", "chosen"}
)
PROMPTS = (
    "history? + instruction + input? + context?",
    "context? + question",
    "context? + query",
    "problem",
    "prompt",
    "inputs",
    "input",
    "context",
    "source",
)
# Of a problem with a solution and its bare answer the solution is the whole.
COMPLETIONS = (
    *("completion", "output", "response", "solution", "answer"),
    *("outputs", "targets", "target", "chosen"),
)
# In order: a row is of the first shape whose columns it has.
SHAPES: tuple[Shape, ...] = (
    *({"messages": name} for name in MESSAGES),
    {"prompt": "prompt", "completion": "completion"},
    {"text": "text"},
    {"user": "user", "assistant": "assistant"},
    *({"prompt": p, "completion": c} for p in PROMPTS for c in COMPLETIONS),
    {"messages": "chosen"},
    {"text": "content"},
    {"text": "document"},
)
EXPECTED = '"messages", "prompt" with "completion", or "text"'
MEDIA = frozenset({"image", "images", "video", "videos", "audio", "audios"})


class Row:
    """A row of a file, its columns found by name whatever their capitals and spaces."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.columns: dict[str, str] = {}
        for name in values:
            plain = plain_name(name)
            # Of two columns that differ in spelling alone the plainly written one is meant.
            if plain not in self.columns or plain == name:
                self.columns[plain] = name

    def filled(self) -> frozenset[str]:
        """Plain names of the columns that hold something of a kind that their shapes take."""
        return frozenset(n for n, column in self.columns.items() if self._holds(n, column))

    def usable(self) -> frozenset[str]:
        """Plain names of the columns that are there, those left out that hold no text at all."""
        return frozenset(
            name
            for name, column in self.columns.items()
            if name in STRUCTURED or not isinstance(self.values[column], dict | list)
        )

    def named(self, name: str) -> str | None:
        """The column that a person means; None where there is none."""
        return name if name in self.values else self.columns.get(plain_name(name))

    def _holds(self, plain: str, column: str) -> bool:
        value = self.values[column]
        if plain in MESSAGES:
            written = isinstance(value, str) and value.lstrip().startswith("[")
            return written or looks_like_turns(value)
        return is_text(value) or looks_like_turns(value)


def is_text(value: Any) -> bool:
    """Whether it can stand as text: numbers can, blanks cannot."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and not isinstance(value, bool)


def plain_name(name: str) -> str:
    """`System Prompt ` -> `system_prompt`."""
    return name.strip().strip("\ufeff\"'").lower().replace(" ", "_").replace("-", "_")


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row is of a shape of the table, and holds what the shape asks for."""
    return _first_shape(Row(values).filled()) is not None


def choose(row: Row) -> Choice | None:
    """The columns that make a sample of this row, None where the table knows none.

    Where columns of a shape are there and blank, they are chosen nonetheless: what is missing in a
    row is for its reader to say.
    """
    present = row.usable()
    shape = _first_shape(row.filled()) or _first_shape(present)
    if shape is None:
        return None
    found = {part: _present(columns, present) for part, columns in shape.items()}
    if "text" not in shape:
        found |= {"system": _present(SYSTEM, present), "tools": _present(TOOLS, present)}
    return {
        part: tuple(row.columns[name] for name in names) for part, names in found.items() if names
    }


def said_of(choice: Choice, row: Row, written: str = "") -> str:
    """What was taken for what, in words; "" where the parts have their own names.

    Args:
        written: how the turns are written, where not as `role` and `content`.
    """
    how = {"messages": f" ({written})"} if written else {}
    taken = [
        f"{' + '.join(names)}{how.get(part, '')} -> {part}"
        for part, names in choice.items()
        if part != "tools"
    ]
    used = {column for columns in choice.values() for column in columns}
    rest = [name for name in row.values if name not in used and name.strip()]
    as_named = all(columns == (part,) for part, columns in choice.items()) and not written
    if as_named and not (_another(row, used) or _media(row, rest)):
        return ""
    unused = f"; not used: {', '.join(rest[:8])}{', …' if len(rest) > 8 else ''}" if rest else ""
    return ", ".join(taken) + unused


LISTED = 12


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: `"id", "question" and "answer"`; of many or long ones the beginning."""
    names = list(names)
    quoted = [f'"{name if len(name) <= 60 else f"{name[:60]}..."}"' for name in names[:LISTED]]
    if len(names) > LISTED:
        quoted.append(f"{len(names) - LISTED:,} more")
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _another(row: Row, used: set[str]) -> bool:
    """Whether the columns that are left make a sample as well."""
    left = (name for name in row.filled() if row.columns[name] not in used)
    return _first_shape(frozenset(left)) is not None


def _media(row: Row, names: list[str]) -> bool:
    return any(plain_name(name) in MEDIA and row.values[name] for name in names)


def _present(columns: str, names: frozenset[str]) -> tuple[str, ...]:
    """Those of a shape's columns that are there."""
    wanted = (name.rstrip("?") for name in columns.split(" + "))
    return tuple(name for name in wanted if name in names)


@lru_cache(maxsize=1024)
def _first_shape(names: frozenset[str]) -> Shape | None:
    for shape in SHAPES:
        needed = (n for columns in shape.values() for n in columns.split(" + ") if n[-1] != "?")
        if names.issuperset(needed):
            return shape
    return None
