"""What is found out about a model once and kept as long as its anatomy lives."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from qwen_ui.model.anatomy import Anatomy

T = TypeVar("T")


def once_per_anatomy(compute: Callable[[Anatomy], T]) -> Callable[[Anatomy], T]:
    """Compute once for each anatomy; by identity, for two of one model may differ in their files.

    Threads that ask for one anatomy at the same time wait for the first; for another they do not.
    """
    known: dict[int, T] = {}
    locks: dict[int, threading.Lock] = {}

    @wraps(compute)
    def once(anatomy: Anatomy) -> T:
        key = id(anatomy)
        if key not in locks:
            # Of threads that come here together one makes the lock that all of them take.
            locks.setdefault(key, threading.Lock())
            weakref.finalize(anatomy, _forget, key, known, locks)
        with locks[key]:
            if key not in known:
                known[key] = compute(anatomy)
            return known[key]

    return once


def _forget(key: int, *tables: dict[int, Any]) -> None:
    for table in tables:
        table.pop(key, None)
