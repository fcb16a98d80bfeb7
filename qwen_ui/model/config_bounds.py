"""What a configuration may hold, checked before anything is built from it.

A file of a few hundred bytes can ask for 10,000 layers (45 s of processor time) or 100 million
labels (7 GB). The bounds stand far above every published model (126 layers, 16,384 experts,
262,144 words). What no bound foresees is stopped where unknown configurations are opened:
`opening.open_within_limits`. Imports neither torch nor transformers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qwen_ui.errors import ModelError

MAX_CONFIG_BYTES = 4 * 1024 * 1024
MAX_NESTING = 16
MAX_VALUES = 100_000  # keys and list items in all, those of nested parts too
MAX_NUMBER = 2**53  # what JSON's numbers hold exactly everywhere


@dataclass(frozen=True, slots=True)
class _Bound:
    """The most that a whole number may be under the keys that match."""

    what: str
    keys: re.Pattern[str]
    most: int


# The first that matches a key decides.
_BOUNDS = (
    _Bound("experts", re.compile(r"experts?$|experts_"), 65_536),
    _Bound("heads", re.compile(r"heads?$|heads_"), 4_096),
    _Bound("labels", re.compile(r"(^|_)(labels?|classes)$"), 65_536),
    _Bound("words", re.compile(r"vocab"), 2**26),
    _Bound(
        "layers",
        re.compile(r"layers?$|(^|_)(depths?|stages|blocks|repeats|hidden_groups|group_num)$"),
        512,
    ),
)
# How attention and experts are computed is this program's choice. A name with a slash among them
# would even make transformers fetch code from the hub and run it. Which class is built comes from
# the model type alone.
_NOT_TAKEN = frozenset(
    {"attn_implementation", "experts_implementation", "auto_map", "use_kernels", "kernel_config"}
)


def refuse_beyond_bounds(values: dict[str, Any], where: str) -> None:
    """Refuse a configuration that no model has the size of.

    Args:
        where: its origin, for messages.

    Raises:
        ModelError: names the field, its value and the bound.
    """
    for count, (field, key, value, depth) in enumerate(_fields(values), start=1):
        if depth > MAX_NESTING:
            raise _refusal(where, f"'{field}' is nested {depth} levels deep", MAX_NESTING, "levels")
        if count > MAX_VALUES:
            raise _refusal(where, f"it holds more than {MAX_VALUES:,} values", MAX_VALUES, "values")
        if isinstance(value, float | int) and not isinstance(value, bool):
            _check_number(where, field, key, value)


def without_choices_of_code(values: Any) -> Any:
    """A configuration's values without those that choose which code computes it."""
    if isinstance(values, dict):
        return {
            key: without_choices_of_code(value)
            for key, value in values.items()
            if key.strip("_").removesuffix("_internal") not in _NOT_TAKEN
        }
    if isinstance(values, list):
        return [without_choices_of_code(value) for value in values]
    return values


def _check_number(where: str, field: str, key: str, value: float) -> None:
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        shown = f"a whole number of {value.bit_length():,} bits"
        raise _refusal(where, f"'{field}' is {shown}", MAX_NUMBER)
    bound = next((bound for bound in _BOUNDS if bound.keys.search(key)), None)
    if bound is not None and value > bound.most:
        raise _refusal(where, f"'{field}' is {value:,}", bound.most, bound.what)


def _fields(
    value: Any, field: str = "", key: str = "", depth: int = 0
) -> Iterator[tuple[str, str, Any, int]]:
    """(full name, last key, value, depth) of everything inside; a list's items have its key.

    Stops where it would go deeper than is allowed: what called it refuses that.
    """
    inside: Any = ()
    if isinstance(value, dict):
        inside = ((f"{field}.{k}" if field else k, k, v) for k, v in value.items())
    elif isinstance(value, list):
        inside = ((field, key, v) for v in value)
    for name, last, inner in inside:
        yield name[:100], last, inner, depth + 1
        if depth <= MAX_NESTING:
            yield from _fields(inner, name, last, depth + 1)


def _refusal(where: str, what: str, most: int, noun: str = "") -> ModelError:
    bound = f"{most:,} {noun}".rstrip()
    return ModelError(
        f"The configuration in '{where}' cannot be used: {what}, and {bound} is the most that is "
        "built. Correct the value."
    )
