"""The way between the selector and the plan in force."""

from __future__ import annotations

import json

import gradio as gr
import pytest

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.ui.freeze import tab as freeze_tab
from qwen_ui.ui.freeze.tab import Seen, read_edit, value_for
from qwen_ui.ui.page import header
from qwen_ui.ui.page.session import Session
from tests.helpers.built_app import in_a_loop


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


def test_ticks_become_the_short_plan_that_means_the_same(session: Session) -> None:
    told = json.loads(value_for(session, "nano", preset("attention"), Seen()))
    seen = read_edit(session, json.dumps({**told, "edit": 7}))
    assert seen.edit == 7
    assert seen.plan.rules == preset("attention").rules
    anatomy = session.anatomy("nano")
    assert resolve(seen.plan, anatomy).names == resolve(preset("attention"), anatomy).names


def test_an_answer_says_which_edit_its_plan_is_of(session: Session) -> None:
    seen = Seen(7, preset("bitfit"))
    told = json.loads(value_for(session, "nano", preset("bitfit"), seen))
    assert told["edit"] == 7
    assert any("No bias exists" in warning for warning in told["warnings"])
    told = json.loads(value_for(session, "nano", preset("mlp"), seen))
    assert told["edit"] is None


def test_a_plan_that_trains_nothing_here_is_a_sentence(session: Session) -> None:
    plan = FreezePlan.from_dict({"schema": 1, "rules": [{"names": ["no.such"]}]})
    told = json.loads(value_for(session, "nano", plan, Seen()))
    assert told["ranges"] == ""
    assert "trains nothing" in told["problem"]


def test_without_a_model_nothing_is_told(session: Session) -> None:
    assert value_for(session, "", preset("bitfit"), Seen()) == ""


@pytest.mark.parametrize("value", ["[1]", "{", '{"source": "nano", "ranges": "9-1"}'])
def test_a_value_that_no_selector_sends_is_refused(session: Session, value: str) -> None:
    with pytest.raises(PlanError):
        read_edit(session, value)


def test_the_selector_sets_the_plan_and_follows_model_and_plan(session: Session) -> None:
    def build() -> tuple[gr.Blocks, header.Header, freeze_tab.FreezeTab]:
        with gr.Blocks() as demo:
            top = header.build(session)
            tab = freeze_tab.build(session)
            freeze_tab.wire(tab, top, session)
        return demo, top, tab

    demo, top, tab = in_a_loop(build)
    wired = {
        (target[1], demo.blocks[target[0]]): [demo.blocks[i] for i in dependency["outputs"]]
        for dependency in demo.get_config_file()["dependencies"]
        for target in dependency["targets"]
    }
    assert wired["input", tab.edits] == [top.plan, tab.seen]
    assert wired["change", top.plan] == [tab.selector]
    assert wired["change", top.model] == [tab.selector]
