"""What programs may call: typed, described, free of side effects, wrong calls in a sentence."""

from __future__ import annotations

import inspect
import json
from typing import Any

import gradio as gr
import pytest

from qwen_ui.compare import read_comparison
from qwen_ui.freeze import preset
from qwen_ui.model import DEFAULT_MODEL
from qwen_ui.runs import RunWriter, create_run, read_spec, run_folder, run_names
from qwen_ui.ui.compare.asking import Asked, asked_comparison, classic_plans
from qwen_ui.ui.page import KJV, NONE, Session
from qwen_ui.ui.programs.boundary import for_programs
from qwen_ui.ui.programs.functions import functions
from tests.helpers.built_app import built_app
from tests.helpers.runs import spec_for

TRAINED = {"launch_training", "launch_comparison"}
MISTAKES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "inspect_model": [({"model": "nope"}, "no model 'nope'")],
    "resolve_plan": [
        ({"model": "nano", "plan": "nope"}, "no preset"),
        ({"model": "nano", "plan": "{}"}, "."),
        ({"model": "nano", "plan": '{"schema": 1, "rules": []}', "layers": "last:4"}, "blocks of"),
    ],
    "lint_selection": [
        ({"model": "nano", "text": "merge_method: slerp"}, "recipe of mergekit"),
        ({"model": "nope", "text": "model.norm.weight"}, "no model 'nope'"),
    ],
    "price_step": [({"model": "nano", "plan": "mlp", "batch_size": 0}, "A step cannot have")],
    "preview_data": [
        ({"data": "/etc/passwd"}, "There are no data '/etc/passwd'"),
        ({"data": "kjv-train.txt", "sequence_length": 0}, "."),
    ],
    "read_run": [({"run": "../.."}, "no run '../..'")],
    "read_comparison": [
        ({}, "no comparison yet"),
        ({"comparison": "../x"}, "no comparison '../x'"),
    ],
    "permitted_settings": [({"token": "x"}, "not made by this dashboard")],
    "launch_training": [
        ({"token": "x", "settings": "{}"}, "not made by this dashboard"),
        ({"token": "x", "settings": "[" * 5000}, "not JSON"),
        ({"token": "x", "settings": "3"}, "not a JSON object"),
    ],
    "launch_comparison": [({"token": "x", "settings": "{}"}, "not made by this dashboard")],
}


class Program:
    """Calls functions as gradio does for a program."""

    def __init__(self) -> None:
        self.session = Session()
        found = functions(self.session, self.session.permits)
        self._functions = {function.__name__: for_programs(function) for function in found}

    def __call__(self, name: str, **asked: Any) -> dict[str, Any]:
        function = self._functions[name]
        parameters = inspect.signature(function).parameters.values()
        answered = function(*(asked.get(p.name, p.default) for p in parameters))
        found: dict[str, Any] = json.loads(answered)
        return found


@pytest.fixture
def program() -> Program:
    return Program()


def test_the_page_offers_these_functions_and_no_other_event() -> None:
    offered = {
        str(event.api_name): event
        for event in built_app().fns.values()
        if event.api_visibility == "public"
    }
    found = functions(Session(), Session().permits)
    assert set(offered) == {function.__name__ for function in found}
    for function in found:
        documented = inspect.getdoc(function) or ""
        assert len(documented.splitlines()[0]) > 40, function.__name__
        for parameter in inspect.signature(function).parameters:
            assert f"    {parameter}: " in documented, (function.__name__, parameter)


def test_reading_is_free(program: Program) -> None:
    assert DEFAULT_MODEL in program("list_models")["models"]
    assert "bitfit" in program("list_plans")["plans"]
    assert program("inspect_model", model=DEFAULT_MODEL)["total_parameters"] == 1_543_714_304
    resolved = program("resolve_plan", model=DEFAULT_MODEL, plan="bitfit", layers="last:4")
    assert resolved["trainable_parameters"] == 8_192
    as_json = json.dumps(resolved["plan"])
    again = program("resolve_plan", model=DEFAULT_MODEL, plan=as_json)
    assert again["trainable_names"] == resolved["trainable_names"]
    linted = program("lint_selection", model="nano", text='{"target_modules": ["q_porj"]}')
    assert [(e["matches"], "q_proj" in e["problem"]) for e in linted["entries"]] == [(0, True)]
    priced = program("price_step", model="nano", plan="attention", batch_size=2)
    assert 0 < priced["flops_step"] < priced["full"]["flops_step"]
    preview = program("preview_data", data="kjv-train.txt", sequence_length=32)
    assert preview["sequences"][0]["tokens"] == 32
    assert preview["sequences"][0]["tokens_in_loss"] > 0


def test_runs_are_read(program: Program) -> None:
    folder = create_run({"model": "nano", "steps": 2}, {"name": "mine"})
    with RunWriter(folder) as run:
        run.event("step", step=1, loss=2.5)
    assert [row["run"] for row in program("list_runs")["runs"]] == [folder.name]
    assert program("read_run", run=folder.name)["losses"] == [2.5]


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [(name, asked, said) for name, cases in MISTAKES.items() for asked, said in cases],
)
def test_mistakes_are_sentences(
    program: Program, name: str, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(gr.Error) as refused:
        program(name, **asked)
    assert said in refused.value.message
    assert "Internal error" not in refused.value.message


@pytest.mark.parametrize("wrong", [None, {"a": 1}, ["x"], 5.5, "\ud800", 2**70])
def test_wrong_types_are_sentences(program: Program, wrong: Any) -> None:
    for name in MISTAKES:
        asked = dict.fromkeys(MISTAKES[name][0][0] or {"comparison": ""}, wrong)
        with pytest.raises(gr.Error) as refused:
            program(name, **asked)
        assert "Internal error" not in refused.value.message, name


@pytest.mark.usefixtures("step_worker")
def test_a_permitted_training_is_launched_once_as_it_was_permitted(program: Program) -> None:
    spec = spec_for("nano", "kjv-train.txt")
    token = program.session.permits.give("training", spec.to_dict())
    permitted = program("permitted_settings", token=token)
    assert permitted == {"kind": "training", "settings": spec.to_dict()}
    altered = json.dumps(permitted["settings"]).replace('"steps": 6', '"steps": 7')
    with pytest.raises(gr.Error, match="not the settings"):
        program("launch_training", token=token, settings=altered)
    assert run_names() == []
    settings = json.dumps(permitted["settings"])
    run = program("launch_training", token=token, settings=settings)["run"]
    assert read_spec(run_folder(run)) == spec
    with pytest.raises(gr.Error, match="is used"):
        program("launch_training", token=token, settings=settings)
    assert run_names() == [run]


@pytest.mark.usefixtures("step_worker")
def test_a_permitted_comparison_is_written_down_when_it_is_launched(program: Program) -> None:
    form = Asked(KJV, None, "", NONE, None, steps=2, seeds=1, find_rates=False)
    asked = asked_comparison(program.session, "nano", classic_plans(), form)
    with pytest.raises(gr.Error, match="no comparison yet"):
        program("read_comparison")
    token = program.session.permits.give("comparison", asked)
    settings = json.dumps(program("permitted_settings", token=token)["settings"])
    launched = program("launch_comparison", token=token, settings=settings)
    assert len(launched["runs"]) == 2
    made = read_comparison(launched["comparison"])
    assert made.labels == tuple(plan.name for plan in map(preset, ("attention", "bitfit")))
    assert program("read_comparison")["comparison"] == made.name
