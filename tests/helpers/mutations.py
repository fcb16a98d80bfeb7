"""Hostile inputs, made from good ones by a seeded generator: the same seed, the same inputs."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

# What programs stumble over.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**9), 0.5, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), "", " ", "0", "-1", "1e9", "nan", "null", "nano", "../../etc"),
    *("\ud800", "\0", "\u202e", "ﬀ", "９", "'; DROP", "<script>", "a" * 3000, "%n%n", "{{7*7}}"),
    *([], {}, [[]], {"": ""}, ["\ud800"], {"a": {"b": {"c": []}}}, [None] * 50, "(" * 500),
)
PIECES = (
    *("(", ")", "[", "]", "{", "}", "|", "*", "+", "?", "\\", ".", ",", ":", "-", "!", "&", "\n"),
    *("\0", "\ud800", "é", "\u0661", "0", "9" * 20, "last:", "first:", "every:", "all", "(a+)+"),
    *("\r", "\t", '"', "'", "#", "&a *a", "!!python/object:os.system", "---", "<<", "%", "~"),
)


def mutated_value(random: Random, value: Any) -> Any:
    """A JSON value with one to four places changed."""
    found = {"": copy.deepcopy(value)}
    for _ in range(random.randint(1, 4)):
        holder, key = random.choice(_places(found))
        how = random.randrange(6)
        if how == 0 and holder is not found:
            del holder[key]
        elif how == 1:
            holder[key] = [holder[key]] * random.choice([1, 2, 50])
        elif how == 2:
            holder[key] = {"train": holder[key], "": holder[key]}
        elif how == 3 and isinstance(holder, dict):
            holder[str(random.choice(PIECES))] = copy.deepcopy(random.choice(VALUES))
        elif how == 4:
            holder[key] = _nested(random, holder[key])
        else:
            holder[key] = copy.deepcopy(random.choice(VALUES))
    return found[""]


def mutated_text(random: Random, text: str) -> str:
    """A text with one to six places changed."""
    for _ in range(random.randint(1, 6)):
        at = random.randint(0, len(text))
        end = min(len(text), at + random.choice([0, 1, 3, 20]))
        put = random.choice(PIECES) * random.choice([1, 1, 1, 2, 40])
        text = random.choice([text[:at] + put + text[end:], text[:at] + text[end:], text + text])
        text = text[:20_000]
    return text


def mutated_bytes(random: Random, data: bytes) -> bytes:
    """Bytes with one to six places changed, cut or doubled."""
    found = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at = random.randint(0, len(found))
        how = random.randrange(5)
        if how == 0 and at < len(found):
            found[at] = random.randrange(256)
        elif how == 1:
            del found[at : at + random.choice([1, 8, 100])]
        elif how == 2:
            found[at:at] = random.randbytes(random.choice([1, 8, 64]))
        elif how == 3:
            found[at:at] = random.choice(PIECES).encode("utf-8", "surrogatepass")
        else:
            found[at:at] = found[at : at + 200]
    return bytes(found)


def as_text(value: Any) -> str:
    """JSON as anybody may write it: NaN and half characters too."""
    return json.dumps(value)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        found += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return found


def _nested(random: Random, value: Any) -> Any:
    for _ in range(random.choice([3, 20, 150])):
        value = [value]
    return value
