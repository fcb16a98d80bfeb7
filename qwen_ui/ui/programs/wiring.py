"""The functions of programs, offered by gradio's API and, where MCP is on, as its tools."""

from __future__ import annotations

import gradio as gr
from gradio.events import api

from qwen_ui.ui.page import Session
from qwen_ui.ui.programs.boundary import for_programs
from qwen_ui.ui.programs.functions import functions


def offer_functions(session: Session) -> None:
    """Offer every function by its name, inside the page that is being built."""
    # gradio makes a component of every argument and result. The page shows none of them: in a part
    # that is not shown, the browser makes none.
    with gr.Column(visible=False):
        for function in functions(session, session.permits):
            api(for_programs(function), api_name=function.__name__)
