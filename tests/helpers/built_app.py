"""The dashboard's page as it is built, once for all tests that look into it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from qwen_ui.ui.page.app import build_app
from qwen_ui.ui.page.session import Session

if TYPE_CHECKING:
    import gradio as gr

T = TypeVar("T")


@cache
def built_app() -> gr.Blocks:
    """The page, not served."""
    return in_a_loop(lambda: build_app(Session()))


def in_a_loop(build: Callable[[], T]) -> T:
    """What `build` gives. Where no event loop runs, gr.Blocks makes some and leaves them open."""

    async def run() -> T:
        return build()

    return asyncio.run(run())
