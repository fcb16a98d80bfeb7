"""A person's mistake becomes a message; everything else stays an error with a traceback."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr
from markupsafe import escape

from qwen_ui.errors import UserError
from qwen_ui.ui.page.api import INTERNAL

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger("qwen_ui")


def guarded(handler: Callable[P, R]) -> Callable[P, R]:
    """Show a `UserError` of this handler as it is; log every other one and name the log."""

    @functools.wraps(handler)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except UserError as error:
            raise message(error) from error
        except gr.Error:
            raise
        except Exception as error:
            logger.exception("%s failed", handler.__qualname__)
            raise gr.Error(INTERNAL, title="Something went wrong", print_exception=False) from error

    return guard


def message(error: UserError) -> gr.Error:
    """The message for a mistake."""
    return gr.Error(_text(error), title="That did not work", duration=12, print_exception=False)


def warn(error: UserError, title: str) -> None:
    """Tell of a mistake that does not end what was asked for."""
    gr.Warning(_text(error), title=title)


def _text(error: UserError) -> str:
    """gradio shows messages as HTML."""
    return str(escape(str(error)))
