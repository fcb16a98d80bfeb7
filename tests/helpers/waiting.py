"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T | None],
    patience: float = 60.0,
    instead: Callable[[], object] = lambda: "waited in vain",
) -> T:
    """What the condition gives once it holds; fail where it does not within `patience` seconds.

    Args:
        instead: what the failure says, asked when it comes.
    """
    deadline = time.monotonic() + patience
    while not (held := condition()):
        assert time.monotonic() < deadline, instead()
        time.sleep(0.02)
    return held


def answer_of(ask: Callable[[], dict[str, Any]], patience: float = 60.0) -> dict[str, Any]:
    """What a job of the page answers once it no longer says that it is working."""

    def answer() -> dict[str, Any] | None:
        told = ask()
        return None if "working" in told else told

    return until(answer, patience)
