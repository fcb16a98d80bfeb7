"""Marks in the texts of a conversation, to find each text again in what a template makes of it.

A conversation is rendered once as it is and once with marks, characters of a private-use plane, in
its texts. Where the second rendering without its marks is the first, the template treated the
marked texts as it treats the texts themselves, and the marks show where these stand: whatever the
template reorders, drops or trims.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from qwen_ui.data.chat_template import Message, with_arguments

# Beginnings of ranges of 1,025 private-use characters; one that the conversation does not use.
_BASES = (0x100000, 0x108000, 0xF8000)
_DIGITS = 1024
_REASONING = ("reasoning_content", "reasoning", "thinking")
_TAG_OR_LETTER = re.compile(r"<[^<>\s]{1,40}>|\w(?=\w)")
_NEAR = 500


class NotProvenError(Exception):
    """Where the assistant's turns stand could not be proven; says why, as the end of a sentence."""


class Style(Enum):
    """Where marks are set; a template that looks at a text's end or inside forbids some."""

    BOTH = "at the end of each text and within it, and in empty ones"
    END = "at the end of each text that is not empty"
    WITHIN = "within each text that is not empty"


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark in a text.

    Attributes:
        turn: index of its message.
        before: the text before it, without whitespace at its beginning.
        after: the text behind it, without whitespace at its end; "" at the end of a text.
    """

    turn: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Place:
    """A mark as it was found: at which character of the rendering without marks."""

    at: int
    mark: Mark


class Marker:
    """Sets marks in one conversation, and reads them.

    Args:
        text: its rendering, in which no mark may occur by itself.

    Raises:
        NotProvenError: the conversation itself uses the characters of all marks.
    """

    def __init__(self, text: str, style: Style) -> None:
        free = [base for base in _BASES if chr(base) not in text]
        if not free:
            raise NotProvenError("it uses all the private-use characters that could mark them")
        self._base = free[0]
        self._style = style
        self._marks: list[Mark] = []

    def marked(self, messages: list[Message]) -> list[Message]:
        """The messages with marks in their content, reasoning and arguments of calls."""
        return [self._message(turn, message) for turn, message in enumerate(messages)]

    def probe(self, turn: int, text: str) -> str:
        """A text of ours with a mark at its end."""
        return text + self._set(turn, text, "")

    def read(self, rendering: str) -> tuple[str, list[Place]]:
        """The rendering without marks, and where each was."""
        pieces, places, at, end = [], [], 0, 0
        for found in _pattern(self._base).finditer(rendering):
            pieces.append(rendering[end : found.start()])
            at += found.start() - end
            end = found.end()
            high, low = (ord(digit) - self._base - 1 for digit in found.group()[1:])
            places.append(Place(at, self._marks[high * _DIGITS + low]))
        return "".join([*pieces, rendering[end:]]), places

    def _message(self, turn: int, message: Message) -> Message:
        marked = with_arguments(message, lambda value: self._leaves(turn, value))
        for key in ("content", *_REASONING):
            if isinstance(marked.get(key), str):
                marked = {**marked, key: self._text(turn, marked[key])}
        if isinstance(marked.get("content"), list):
            marked = {**marked, "content": [self._part(turn, p) for p in marked["content"]]}
        return marked

    def _part(self, turn: int, part: Any) -> Any:
        return (
            self._text(turn, part)
            if isinstance(part, str)
            else {**part, "text": self._text(turn, part["text"])}
        )

    def _leaves(self, turn: int, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(turn, value)
        if isinstance(value, dict):
            return {key: self._leaves(turn, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._leaves(turn, inner) for inner in value]
        return value

    def _text(self, turn: int, text: str) -> str:
        body = text.rstrip()
        if not body:
            return self._set(turn, "", "") + text if self._style is Style.BOTH else text
        end = "" if self._style is Style.WITHIN else self._set(turn, body, "")
        cut = None if self._style is Style.END else _middle(body)
        if cut is None and self._style is Style.WITHIN:
            cut = len(body) - len(body.lstrip())
        if cut is None:
            return body + end + text[len(body) :]
        within = self._set(turn, body[:cut], body[cut:])
        return body[:cut] + within + body[cut:] + end + text[len(body) :]

    def _set(self, turn: int, before: str, after: str) -> str:
        high, low = divmod(len(self._marks), _DIGITS)
        if high >= _DIGITS:
            raise NotProvenError("it has too many turns")
        self._marks.append(Mark(turn, before.lstrip(), after))
        return chr(self._base) + chr(self._base + 1 + high) + chr(self._base + 1 + low)


def _pattern(base: int) -> re.Pattern[str]:
    digit = f"[{chr(base + 1)}-{chr(base + _DIGITS)}]"
    return re.compile(f"{chr(base)}{digit}{digit}")


def _middle(text: str) -> int | None:
    """A place between two letters near the middle and in no tag, which a template may look for."""
    middle = len(text) // 2
    first = max(0, middle - _NEAR)
    places = [
        first + found.end()
        for found in _TAG_OR_LETTER.finditer(text[first : middle + _NEAR])
        if not found.group().startswith("<")
    ]
    return min(places, key=lambda place: abs(place - middle), default=None)
