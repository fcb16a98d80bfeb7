"""The dashboard's page as it is built, once for all tests that look into it."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

from qwen_ui.ui.page.app import build_app
from qwen_ui.ui.page.session import Session

if TYPE_CHECKING:
    import gradio as gr


@cache
def built_app() -> gr.Blocks:
    """The page, not served."""

    async def build() -> gr.Blocks:
        return build_app(Session())

    # Where no event loop runs, gradio makes loops of its own and leaves them open.
    return asyncio.run(build())
