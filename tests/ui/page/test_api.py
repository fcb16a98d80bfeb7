"""What a server function answers: what it returned, or what was wrong."""

from __future__ import annotations

import inspect
import logging
from typing import Any, Literal

import pytest
from pydantic import NonNegativeInt

from qwen_ui.errors import ModelError, RunError
from qwen_ui.ui.page.api import INTERNAL, server_function


def ask(run: str, offset: NonNegativeInt = 0, axis: Literal["step", "tokens"] = "step") -> Any:
    """Doc."""
    match run:
        case "gone":
            raise RunError("There is no run 'gone'.")
        case "broken":
            raise KeyError("secret")
    return {"run": run, "offset": offset, "axis": axis}


def test_it_is_called_by_the_names_of_its_parameters() -> None:
    answer = server_function(ask)
    assert answer({"run": "a"}) == {"run": "a", "offset": 0, "axis": "step"}
    assert answer({"run": "a", "offset": 7, "axis": "tokens"})["offset"] == 7
    assert (answer.__name__, answer.__doc__) == ("ask", "Doc.")
    assert list(inspect.signature(answer).parameters) == ["asked"]


def test_a_mistake_is_told_by_its_kind_and_words() -> None:
    told = server_function(ask)({"run": "gone"})
    assert told == {"error": {"kind": "RunError", "message": "There is no run 'gone'."}}


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "a",
        ["a"],
        {},
        {"run": 1},
        {"run": "a", "offset": -1},
        {"run": "a", "axis": "other"},
        {"run": "a", "more": 1},
    ],
)
def test_what_is_of_another_type_is_not_understood(asked: Any) -> None:
    error = server_function(ask)(asked)["error"]
    assert error["kind"] == "RequestError"
    assert "'ask'" in error["message"]


def test_what_fails_otherwise_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="qwen_ui"):
        told = server_function(ask)({"run": "broken"})
    assert told == {"error": {"kind": "InternalError", "message": INTERNAL}}
    assert "ask failed" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


def test_a_model_is_named_as_source_and_opened() -> None:
    def size(anatomy: Any, twice: bool = False) -> dict[str, Any]:
        return {"size": len(anatomy) * (1 + twice)}

    def opened(source: str) -> Any:
        if source == "none":
            raise ModelError("There is no model 'none'.")
        return source

    answer = server_function(size, open_model=opened)
    assert answer({"source": "abc"}) == {"size": 3}
    assert answer({"source": "abc", "twice": True}) == {"size": 6}
    assert answer({"source": "none"})["error"]["kind"] == "ModelError"
    assert answer({"anatomy": "abc"})["error"]["kind"] == "RequestError"
