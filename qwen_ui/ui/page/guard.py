"""A person's mistake becomes a message; everything else stays an error with a traceback."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio as gr
from gradio.utils import get_upload_folder
from markupsafe import escape

from qwen_ui.errors import UserError
from qwen_ui.runs import SETTING_PLACES, setting_label
from qwen_ui.ui.page.api import INTERNAL
from qwen_ui.visits import own_folder

_SETTING = re.compile(r"\b([Ss]etting )'(\w+)'")

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
    return str(escape(own_words(str(error))))


def own_words(text: str) -> str:
    """A sentence with a person's own names in it: files by what they are called, not by where the
    dashboard put its copy, and settings by the labels of their fields.
    """
    for folder in (Path(get_upload_folder()), own_folder("uploads"), own_folder("configurations")):
        text = re.sub(rf"{re.escape(str(folder))}/(?:[^/'\s]+/)*(?=[^/']+')", "", text)
    return _SETTING.sub(_labelled, text)


def _labelled(found: re.Match[str]) -> str:
    name = found[2]
    return f"{found[1]}'{setting_label(name)}'" if name in SETTING_PLACES else found[0]
