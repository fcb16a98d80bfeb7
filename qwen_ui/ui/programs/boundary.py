"""Functions as programs call them: checked by their type hints, errors as sentences."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, get_type_hints

import gradio as gr
import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from qwen_ui.errors import UserError
from qwen_ui.ui.page import INTERNAL

Record = dict[str, Any]
logger = logging.getLogger("qwen_ui")


def for_programs(function: Callable[..., Record]) -> Callable[..., str]:
    """The function, as `gr.api` offers it; it answers JSON text, which MCP clients are given as is.

    A program's mistake and a `UserError` become a `gr.Error` with a plain sentence; anything else
    is logged, and told to be an internal error.
    """
    hints = get_type_hints(function)

    @functools.cache
    def accepted() -> type[BaseModel]:
        fields: dict[str, Any] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            required = parameter.default is inspect.Parameter.empty
            fields[name] = (hints[name], ... if required else parameter.default)
        config = ConfigDict(extra="forbid", protected_namespaces=())
        return create_model(function.__name__, __config__=config, **fields)

    @functools.wraps(function)
    def answer(*given: Any) -> str:
        names = list(inspect.signature(function).parameters)
        asked = dict(zip(names, given, strict=False))
        try:
            orjson.dumps(asked)  # what cannot be written again would fail in the answer
        except orjson.JSONEncodeError as error:
            said = f"{function.__name__} was called with what is not JSON: {error}."
            raise _refusal(said) from error
        try:
            values = dict(accepted().model_validate(asked))
            return orjson.dumps(function(**values)).decode()
        except ValidationError as error:
            raise _refusal(_wrong_call(function.__name__, error)) from error
        except UserError as error:
            raise _refusal(str(error)) from error
        except Exception as error:
            logger.exception("%s failed", function.__qualname__)
            raise _refusal(INTERNAL) from error

    # gradio reads the types; in the module they are texts.
    answer.__annotations__ = {**hints, "return": str}
    return answer


def _refusal(sentence: str) -> gr.Error:
    return gr.Error(sentence, title="That did not work", print_exception=False)


def _wrong_call(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{name} cannot be called so: {where}: {first['msg']}. See its description."
