"""The one shape of what the browser asks of Python, and of what it is answered.

A server function is a plain function with typed parameters that returns a JSON object. The browser
calls it by name with one object of its parameters (`static/api.js`) and is answered with what it
returned, or with

    {"error": {"kind": "RunError", "message": "There is no run 'x'. ..."}}

`kind` is the class of a `UserError`, "RequestError" where the parameters are not of their types,
"InternalError" where something failed that a person cannot mend.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from qwen_ui.errors import UserError
from qwen_ui.ui.page.visitors import as_asked

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy

Answer = dict[str, Any]
INTERNAL = "Internal error. Details are in the dashboard's terminal."
logger = logging.getLogger("qwen_ui")


def server_function(
    function: Callable[..., Answer], *, open_model: Callable[[str], Anatomy] | None = None
) -> Callable[[Any], Answer]:
    """Make a function answer the browser, as the module says.

    Args:
        function: its parameters' type hints say what is accepted.
        open_model: where it is given, the function's first parameter is an anatomy, which the
            browser names as `source`.
    """

    @cache
    def accepted() -> type[BaseModel]:
        return _parameters(function, opens=open_model is not None)

    def answer(asked: Any) -> Answer:
        with as_asked():
            return answered(asked)

    def answered(asked: Any) -> Answer:
        try:
            # What cannot be written as JSON again (half a surrogate pair, integers of more than 64
            # bits, nesting without end) would fail later, in an answer that quotes it.
            orjson.dumps(asked)
        except orjson.JSONEncodeError as error:
            return _error("RequestError", _not_understood(function.__name__, str(error)))
        try:
            given = dict(accepted().model_validate(asked))
        except ValidationError as error:
            return _error("RequestError", _wrong_request(function.__name__, error))
        try:
            if open_model is None:
                return function(**given)
            return function(open_model(given.pop("source")), **given)
        except UserError as error:
            return _error(type(error).__name__, str(error))
        except Exception:
            logger.exception("%s failed", function.__qualname__)
            return _error("InternalError", INTERNAL)

    # gradio calls it by this name; it must not see the function's own parameters (`__wrapped__`).
    answer.__name__, answer.__doc__ = function.__name__, function.__doc__
    return answer


def _parameters(function: Callable[..., Answer], *, opens: bool) -> type[BaseModel]:
    """The function's parameters as a model that pydantic checks an object against."""
    parameters = list(inspect.signature(function).parameters.values())
    fields: dict[str, Any] = {"source": (str, ...)} if opens else {}
    for parameter in parameters[1 if opens else 0 :]:
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (parameter.annotation, ... if required else parameter.default)
    return create_model(
        function.__name__,
        __config__=ConfigDict(extra="forbid", protected_namespaces=()),
        __module__=function.__module__,
        **fields,
    )


def _wrong_request(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = f"{where}: {first['msg']}" if where else first["msg"]
    return _not_understood(name, what)


def _not_understood(name: str, what: str) -> str:
    return f"The page asked for '{name}' in a way that is not understood ({what}). Reload the page."


def _error(kind: str, message: str) -> Answer:
    return {"error": {"kind": kind, "message": message}}
