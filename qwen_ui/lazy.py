"""Package faces whose names are imported when they are first asked for.

A plan needs no torch and a page is drawn before it is loaded: importing a room must stay cheap, and
yet one import line should name what the room offers (PEP 562).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_face(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that finds each public name in its home.

    Args:
        package: the package's `__name__`.
        homes: public name -> module inside the package (`selection`, `cost.price`).
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return __getattr__
