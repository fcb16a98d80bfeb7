"""Start gradio without work that nobody asked for.

Two things, each measured in docs/decisions/pages.md. gradio documents no way to leave them out, so
a name of its own is stood in for; a test says when one is gone.

- At each import `gradio.component_meta` parses the source of every component and writes a `.pyi`
  file beside it, into a folder that may be read-only or be imported by another process at the same
  time. The stubs are for editors; no code reads them.
- It makes the web application three times: before the page has anything, after, and at launch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

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


@contextmanager
def one_application() -> Iterator[None]:
    """While blocks are put together, make no web application: `launch` makes it."""
    from gradio.routes import App  # noqa: PLC0415  after leave_out_stubs

    make = App.__dict__["create_app"]
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        App.create_app = make  # type: ignore[method-assign]
