"""Answers that are kept for a while: computed once, however many ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Place(Generic[V]):
    """Whoever holds the lock computes the value."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    values: list[V] = field(default_factory=list)


class Kept(Generic[K, V]):
    """Values by key, the least recently used dropped first. Safe to call from threads.

    Who asks for a value that is being computed waits for it; who asks for another does not.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: OrderedDict[K, _Place[V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, compute: Callable[[], V]) -> V:
        """The value of this key. What raised is not kept: asking again tries again."""
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > self._most:
                self._places.popitem(last=False)
        with place.lock:
            if not place.values:
                try:
                    place.values.append(compute())
                finally:
                    if not place.values:
                        self._forget(key, place)
            return place.values[0]

    def keep(self, key: K, value: V) -> None:
        """Put a value in its place that was computed elsewhere."""
        with self._lock:
            self._places[key] = _Place(values=[value])

    def _forget(self, key: K, place: _Place[V]) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]
