"""The special tokens of a tokenizer: their texts, and which it puts around a text by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AddedTokens:
    """Patterns of the tokenizer's added tokens: of the special ones, and of all."""

    special: re.Pattern[str]
    every: re.Pattern[str]


def added_tokens(tokenizer: Any) -> AddedTokens:
    """The added tokens of this tokenizer, as patterns that take the longest."""
    added = list(tokenizer.added_tokens_decoder.values())
    special = {*tokenizer.all_special_tokens, *(t.content for t in added if t.special)}
    every = special | {t.content for t in added if t.content.strip()}
    return AddedTokens(_any_of(special), _any_of(every))


def surrounding_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What a tokenizer puts before and after a text, seen on a short one."""
    bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    whole = list(tokenizer("a")["input_ids"])
    for at in range(len(whole) - len(bare) + 1):
        if bare and whole[at : at + len(bare)] == bare:
            return whole[:at], whole[at + len(bare) :]
    return [], []


def _any_of(words: set[str]) -> re.Pattern[str]:
    ordered = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered)) or "(?!)")
