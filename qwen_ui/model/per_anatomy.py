"""What is found out about a model once and kept as long as its anatomy lives."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from qwen_ui.model.anatomy import Anatomy

T = TypeVar("T")


def once_per_anatomy(compute: Callable[[Anatomy], T]) -> Callable[[Anatomy], T]:
    """Compute once for each anatomy; by identity, for two of one model may differ in their files.

    Threads that ask at the same time wait for the first.
    """
    known: dict[int, T] = {}
    lock = threading.Lock()

    @wraps(compute)
    def once(anatomy: Anatomy) -> T:
        with lock:
            if id(anatomy) not in known:
                known[id(anatomy)] = compute(anatomy)
                weakref.finalize(anatomy, known.pop, id(anatomy), None)
            return known[id(anatomy)]

    return once
