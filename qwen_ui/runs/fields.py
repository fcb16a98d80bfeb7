"""What a value in a file of a run may be. Each file is checked where it is read, by these.

The files outlive the program that wrote them: an editor, a full disk, another tool or version may
have left anything there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Beyond it a float skips integers, and JavaScript's numbers are floats.
LARGEST_COUNT = 2**53
# Its square is still a float.
LARGEST_NUMBER = 1e100

Check = Callable[[Any], bool]
Checks = Mapping[str, Check]


def is_count(value: Any) -> bool:
    """A whole number of 0 to `LARGEST_COUNT`."""
    return type(value) is int and 0 <= value <= LARGEST_COUNT


def is_number(value: Any) -> bool:
    """A number up to `LARGEST_NUMBER` in size; NaN is none."""
    return type(value) in (int, float) and -LARGEST_NUMBER <= value <= LARGEST_NUMBER


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def wrong_fields(record: Mapping[str, Any], checks: Checks) -> list[str]:
    """Names of the fields that are there and neither null nor what their check asks for."""
    given = ((name, record[name]) for name in record.keys() & checks.keys())
    return sorted(name for name, value in given if value is not None and not checks[name](value))
