"""Start gradio without work that nobody asked for: a third of the way to the page.

Three things, each measured in docs/decisions/pages.md. They are left out by the documented ways
where there are any, else by standing in for a name of gradio's; a test says when one is gone.

- At each import `gradio.component_meta` parses the source of every component and writes a `.pyi`
  file beside it, into a folder that may be read-only or be imported by another process at the same
  time. The stubs are for editors; no code reads them.
- It imports pandas for components and statistics that this page does not have.
- It makes the web application three times: before the page has anything, after, and at launch.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType
from typing import Any

MODULE = "gradio.component_meta"
WRITER = "create_or_modify_pyi"


class _WithoutStubs(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if hasattr(module, WRITER):
            setattr(module, WRITER, lambda *_: None)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin and type(spec.loader) is SourceFileLoader:
            spec.loader = _WithoutStubs(fullname, spec.origin)
        return spec


def leave_out_stubs() -> None:
    """From now on, importing gradio writes no stubs. Call it before the first such import."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Later(ModuleType):
    """Stands in for a module until something of it is asked for.

    Not `importlib.util.LazyLoader`: a second `import` of its module looks at `__spec__`, and that
    by itself loads it.
    """

    def __init__(self, name: str, spec: ModuleSpec) -> None:
        super().__init__(name)
        # What `inspect` asks of every module there is, to find where a class was written.
        self.__spec__, self.__file__ = spec, spec.origin
        self._once = threading.RLock()

    def __getattr__(self, wanted: str) -> Any:
        name = self.__name__
        with self._once:
            if sys.modules.get(name) is self:
                del sys.modules[name]
            return getattr(import_module(name), wanted)


def import_later(name: str) -> None:
    """From now on, importing this module waits until it is used. Nothing where it is loaded."""
    spec = find_spec(name) if name not in sys.modules else None
    if spec is not None:
        sys.modules[name] = _Later(name, spec)


@contextmanager
def one_application() -> Iterator[None]:
    """While blocks are put together, make no web application: `launch` makes it."""
    from gradio.routes import App

    make = App.__dict__["create_app"]
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        App.create_app = make  # type: ignore[method-assign]
