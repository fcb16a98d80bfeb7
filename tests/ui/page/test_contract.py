"""Every server function of the built page answers in one shape, whatever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import orjson
import pytest

from qwen_ui.compare import make_comparison, parse_plans, write_comparison
from qwen_ui.runs import RunWriter, create_run, delete_run
from qwen_ui.ui.page.data_choice import KJV, data_files
from tests.helpers.built_app import built_app

NO_MODEL = {"source": "no-such-model"}
ASKED = {"run": "", "strength": 1.0, "messages": [{"role": "user", "content": "x"}]}
STEP = {"batch_size": "4", "sequence_length": "128"}
# Of every function by component: what is understood and still a person's mistake, and its kind.
# A function that takes whatever is of its types has no kind.
MISTAKES: dict[str, dict[str, tuple[dict[str, Any], str | None]]] = {
    "qi-main": {
        "tree": (NO_MODEL, "ModelError"),
        "detail": ({"source": "nano", "name": "no.such"}, "ModelError"),
        "source_code": ({**NO_MODEL, "name": "model"}, "ModelError"),
        "values": ({"source": "nano", "name": "no.such"}, "ModelError"),
        "trains": ({**NO_MODEL, "plan": "{}"}, "ModelError"),
        "diagram": ({"source": "nano", "block": 99}, "ModelError"),
        "pattern": ({"names": ["model.norm.weight"]}, None),
    },
    "qi-verify": {
        "verify_latest": (NO_MODEL, None),
        "verify_begin": ({"source": "nano", "tuned": " "}, "ModelError"),
        "verify_state": ({"key": "gone"}, "ModelError"),
        "verify_report": ({"key": "gone"}, "ModelError"),
        "verify_stop": ({"key": "gone"}, "ModelError"),
    },
    "qs-main": {
        "structure": (NO_MODEL, "ModelError"),
        "choose_preset": ({"source": "nano", "name": "mlp", "layers": "top4"}, "PlanError"),
        "count_layers": ({"source": "nano", "layers": "top4"}, "PlanError"),
        "match": ({"source": "nano", "pattern": "(q|"}, "PlanError"),
        "load_plan": ({"source": "nano", "text": "{}"}, "PlanError"),
        "lint_plan": ({"source": "nano", "text": "a: 1", "file": ""}, "PlanError"),
        "plan_text": ({"source": "nano", "ranges": "x", "name": ""}, "PlanError"),
        "save_plan": ({"source": "nano", "ranges": "0", "name": ""}, "PlanError"),
        "list_saved": (NO_MODEL, "ModelError"),
        "choose_saved": ({"source": "nano", "name": "none of this name"}, "PlanError"),
        "forget_saved": ({**NO_MODEL, "name": "x"}, "ModelError"),
        "list_heats": (NO_MODEL, "ModelError"),
        "measure_heat": ({"source": "nano", "name": "rank:magic"}, "SettingsError"),
        "take_top": (
            {"source": "nano", "ranges": "0", "plan_name": "", "heat": "x", "count": "4"},
            "SettingsError",
        ),
        "price_step": (
            {"source": "nano", "ranges": "0", "asked": {**STEP, "batch_size": "many"}},
            "SettingsError",
        ),
        "price_ways": ({"source": "nano", "ranges": "0", "asked": {}}, "SettingsError"),
        "fit_batch": (
            {"source": "nano", "ranges": "0", "asked": STEP, "memory": "much"},
            "SettingsError",
        ),
        "fit_cards": ({"source": "nano", "ranges": "0", "asked": {}}, "SettingsError"),
        "list_formats": (NO_MODEL, "ModelError"),
        "export_plan": ({"source": "nano", "ranges": "x", "name": "peft"}, "PlanError"),
    },
    "qt-run": {
        "poll": ({"run": "gone"}, "RunError"),
        "zoomed": ({"run": "gone", "low": 1, "high": 2}, "RunError"),
        "act": ({"run": "gone", "action": "stop"}, "RunError"),
        "settings": ({"run": "gone"}, "RunError"),
        "log": ({"run": "gone"}, "RunError"),
        "csv": ({"run": "gone"}, "RunError"),
    },
    "qr-table": {
        "listing": ({"seen": "another:7"}, None),
        "overlaid": ({"runs": ["gone"]}, "RunError"),
        "remove": ({"runs": ["gone"]}, "RunError"),
        "exported": ({"runs": ["gone"], "format": "csv"}, "RunError"),
    },
    "qr-dial": {
        "look_at_dial": ({"run": "gone"}, "RunError"),
        "look_at_changes": ({"run": "gone"}, "RunError"),
        "measure_dial": ({"run": "gone", "max_forgetting": 0.5, "by_block": False}, "RunError"),
    },
    "qc-view": {
        "state": ({"name": "gone"}, "RunError"),
        "act": ({"name": "gone", "action": "stop"}, "RunError"),
        "report": ({"name": "gone", "format": "html"}, "RunError"),
    },
    "qs-next": {"comparable": ({}, None)},
    "q-guide": {"openable": ({}, None)},
    "qc-ranking": {"scores": ({"model": "nano", "data": "/etc/passwd"}, "DataError")},
}
MISTAKES["qr-opened"] = MISTAKES["qt-run"]
MISTAKES |= {
    "qr-live": {"look_at_grid": ({"run": "gone"}, "RunError")},
    "qr-about": {"about": ({"run": "gone"}, "RunError")},
    "qr-talk": {
        "talk_state": ({"run": "gone"}, "RunError"),
        "talk": ({"run": "gone", "sides": [ASKED], "sampling": {}, "blind": False}, "RunError"),
        "talk_written": ({"number": 99}, "RunError"),
        "talk_stop": ({}, None),
        "talk_vote": ({"number": 99, "choice": "first"}, "RunError"),
    },
    "qr-take": {
        "take_state": ({"run": "gone"}, "RunError"),
        "take": ({"run": "gone", "kind": "merge", "output": "/x"}, "RunError"),
        "take_delta": ({"run": "gone"}, "RunError"),
        "take_snippet": ({"run": "gone"}, "RunError"),
    },
}
CASES = [
    pytest.param(component, name, id=f"{component} {name}")
    for component, functions in MISTAKES.items()
    for name in functions
]


def found_functions() -> dict[str, dict[str, Callable[[Any], dict[str, Any]]]]:
    """Every server function of the page, by component and name."""
    components = [block for block in built_app().blocks.values() if isinstance(block, gr.HTML)]
    return {
        str(component.elem_id): {function.__name__: function for function in component.server_fns}
        for component in components
        if component.server_fns
    }


def kind_of(answer: Any) -> str | None:
    """The kind of the error in an answer, which has to be of the one shape; None for no error."""
    assert isinstance(answer, dict)
    orjson.dumps(answer)  # as gradio does: keys that are no texts are refused
    if "error" not in answer:
        return None
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"kind", "message"}
    kind, message = answer["error"]["kind"], answer["error"]["message"]
    assert isinstance(kind, str)
    assert isinstance(message, str)
    assert message
    return kind


def test_the_table_names_every_function_of_the_page() -> None:
    names = {component: set(functions) for component, functions in found_functions().items()}
    assert names == {component: set(functions) for component, functions in MISTAKES.items()}


@pytest.mark.parametrize(("component", "name"), CASES)
def test_a_person_s_mistake(component: str, name: str) -> None:
    asked, kind = MISTAKES[component][name]
    assert kind_of(found_functions()[component][name](asked)) == kind


@pytest.mark.parametrize(("component", "name"), CASES)
@pytest.mark.parametrize("asked", [None, 5, "text", [], [["run"]], {"no such parameter": 1}])
def test_what_is_no_request(component: str, name: str, asked: Any) -> None:
    assert kind_of(found_functions()[component][name](asked)) == "RequestError"


@pytest.mark.parametrize(("component", "name"), CASES)
def test_parameters_of_wrong_types(component: str, name: str) -> None:
    function = found_functions()[component][name]
    asked, _ = MISTAKES[component][name]
    for parameter, value in asked.items():
        wrong = 5 if isinstance(value, dict) else {"of": "another type"}
        assert kind_of(function({**asked, parameter: wrong})) == "RequestError", parameter


@pytest.fixture
def deleted_run() -> str:
    folder = create_run({"model": "nano", "steps": 2}, {"name": "deleted"})
    with RunWriter(folder) as run:
        run.status("completed")
    delete_run(folder.name)
    return folder.name


@pytest.mark.parametrize(
    ("component", "name", "more"),
    [
        *(("qt-run", name, {}) for name in ("poll", "settings", "log", "csv")),
        *(("qt-run", "act", {"action": a}) for a in ("stop", "kill", "resume", "retry")),
        *(("qt-run", "act", {"action": a}) for a in ("describe", "delete")),
        *(("qr-table", name, {}) for name in ("overlaid", "remove")),
        *(("qr-table", "exported", {"format": format}) for format in ("csv", "html")),
    ],
)
def test_a_deleted_run(component: str, name: str, more: dict[str, str], deleted_run: str) -> None:
    runs: dict[str, Any] = {"run": deleted_run} if component == "qt-run" else {}
    asked = (runs or {"runs": [deleted_run]}) | more
    assert kind_of(found_functions()[component][name](asked)) == "RunError"


def test_a_comparison_whose_run_was_deleted(deleted_run: str) -> None:
    data, held_out = data_files(KJV, None)
    plans = parse_plans("attention,bitfit")
    made = make_comparison("nano", plans, data=data, eval_data=held_out, steps=2)
    from dataclasses import replace  # noqa: PLC0415

    entries = (replace(made.entries[0], run=deleted_run), *made.entries[1:])
    write_comparison(replace(made, entries=entries))
    functions = found_functions()["qc-view"]
    assert kind_of(functions["state"]({"name": made.name})) == "RunError"
    assert kind_of(functions["report"]({"name": made.name, "format": "html"})) == "RunError"
    assert kind_of(functions["act"]({"name": made.name, "action": "stop"})) == "RunError"
