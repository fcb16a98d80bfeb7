"""Values of another tool's settings as the types that they should have, or a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from qwen_ui.errors import PlanError

T = TypeVar("T")
Values = Mapping[str, Any]
# Entries of one setting, and the size of a number; more than any model has of anything.
MOST_ENTRIES = 20_000
MOST_NUMBER = 10**9


def text_list(values: Values, key: str, *, split: str = "") -> tuple[str, ...]:
    """A list of texts, each once; one text is a list of one, or of what stands between `split`.

    Raises:
        PlanError: it is something else, or has more than `MOST_ENTRIES`.
    """
    found = values.get(key)
    if found is None or found == "":
        return ()
    if isinstance(found, str):
        items = [item.strip() for item in found.split(split)] if split else [found]
    elif isinstance(found, list) and all(isinstance(item, str | int) for item in found):
        items = [str(item) for item in found]
    else:
        raise PlanError(f"`{key}` is {_shown(found)}, which is not a list of names.")
    return _bounded(key, tuple(dict.fromkeys(items)))


def _bounded(key: str, items: tuple[T, ...]) -> tuple[T, ...]:
    if len(items) > MOST_ENTRIES:
        raise PlanError(
            f"`{key}` has {len(items):,} entries; lint reads {MOST_ENTRIES:,} at most. Say the "
            "same by fewer, longer patterns, or lint the list of names by itself."
        )
    return items


def text(values: Values, key: str, default: str = "") -> str:
    """One text.

    Raises:
        PlanError: it is something else.
    """
    found = values.get(key)
    if found is None:
        return default
    if isinstance(found, str):
        return found
    raise PlanError(f"`{key}` is {_shown(found)}, which is not a text.")


def whole_number(values: Values, key: str, default: int) -> int:
    """A whole number, also where it was written as a text.

    Raises:
        PlanError: it is something else.
    """
    found = values.get(key)
    if found is None:
        return default
    try:
        number = float(found) if isinstance(found, str) else found
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        number = math.nan
    if not abs(number) <= MOST_NUMBER or number != int(number):
        raise PlanError(f"`{key}` is {_shown(found)}, which is not a whole number.")
    return int(number)


def ratio(values: Values, key: str) -> float:
    """A number of at least 0; 0 where there is none.

    Raises:
        PlanError: it is something else.
    """
    found = values.get(key, 0.0)
    try:
        number = float(0.0 if found is None else found)
    except (TypeError, ValueError):
        number = -1.0
    if not 0.0 <= number < 1e9:
        raise PlanError(f"`{key}` is {_shown(found)}, which is not a ratio from 0 to 1.")
    return number


def whole_numbers(values: Values, key: str) -> tuple[int, ...] | None:
    """Whole numbers, one or a list; None where there are none.

    Raises:
        PlanError: it is something else.
    """
    found = values.get(key)
    if found is None:
        return None
    items = found if isinstance(found, list) else [found]
    numbers = dict.fromkeys(whole_number({key: item}, key, 0) for item in items)
    return _bounded(key, tuple(numbers))


def flag(values: Values, key: str, default: bool = False) -> bool:
    """Yes or no, also as the texts that command lines write for them.

    Raises:
        PlanError: it is neither.
    """
    found = values.get(key)
    if found is None:
        return default
    if isinstance(found, bool):
        return found
    word = str(found).strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off", "none"):
        return False
    raise PlanError(f"`{key}` is {_shown(found)}, which is neither true nor false.")


def some(values: Values, key: str, default: float = 0.0) -> bool:
    """Whether a number, such as a dropout, is there and is not 0.

    Raises:
        PlanError: it is no number.
    """
    found = values.get(key)
    try:
        return float(default if found is None else found) != 0.0
    except (TypeError, ValueError):
        raise PlanError(f"`{key}` is {_shown(found)}, which is not a number.") from None


def patterns_of(values: Values, key: str) -> tuple[str, ...]:
    """Patterns that are given something each; none where there is nothing.

    Raises:
        PlanError: it is something else.
    """
    found = values.get(key)
    if not found:
        return ()
    if not isinstance(found, dict):
        raise PlanError(f"`{key}` is {_shown(found)}, which does not give patterns a number each.")
    return _bounded(key, tuple(str(name) for name in found))


def numbers_by_pattern(values: Values, key: str) -> dict[str, int]:
    """Patterns with a whole number each; none where there is nothing.

    Raises:
        PlanError: it is something else.
    """
    patterns_of(values, key)
    found = values.get(key) or {}
    return {str(name): whole_number(found, name, 0) for name in found}


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > MOST_NUMBER:
        return "too large"  # to be written out
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:77]}..."
