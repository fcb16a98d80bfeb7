"""`Record`: one conversation, one prompt with its completion, or one text, as a file holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One sample; exactly one of the three shapes.

    Attributes:
        where: `file, line 12`, for messages.
        messages: turns, see `conversations.py`: `role`, `content` (text, a list of parts, or None
            beside `tool_calls`), whatever else the file gives, and `weight` where a turn has one:
            0 for a turn without loss, else 1.
        prompt, completion: loss is on the completion.
        text: loss is on all of it.
        is_document: the text is to be cut into sequences, not one sample.
        tools: descriptions of the tools that a conversation may call, for the chat template.
    """

    where: str
    messages: tuple[dict[str, Any], ...] = ()
    prompt: str = ""
    completion: str = ""
    text: str = ""
    is_document: bool = False
    tools: tuple[Any, ...] = ()
