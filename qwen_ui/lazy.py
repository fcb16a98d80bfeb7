"""Package faces whose names are imported when they are first used (PEP 562).

A plan needs no torch, and the page is drawn before torch is loaded: importing a room must be cheap,
and yet one import line should name what the room offers.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_face(package: str, file: str) -> Callable[[str], Any]:
    """A package's `__getattr__`, which imports a public name from its home when it is asked for.

    The homes are the imports under `if TYPE_CHECKING:` in the package's own file, which type
    checkers read as well: each name has its home once.

    Args:
        package: the package's `__name__`.
        file: the package's `__file__`.
    """

    @cache
    def homes() -> dict[str, str]:
        return names_under_type_checking(Path(file).read_text(encoding="utf-8"))

    def __getattr__(name: str) -> Any:
        # Asked for by Python itself, for instance by `import *` and by doctests.
        home = None if name.startswith("__") else homes().get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home), name)

    return __getattr__


def names_under_type_checking(source: str) -> dict[str, str]:
    """Name -> module, of the `from ... import` lines under `if TYPE_CHECKING:`."""
    return {
        alias.name: node.module
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
