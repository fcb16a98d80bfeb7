"""What the page's scripts may ask of model and plan, and what a person gives in a name's place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.errors import ModelError, PlanError, UserError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.ui.page import Session, default_plan
from qwen_ui.ui.page.given_model import keep_configuration, model_of_tensors, shown_name
from qwen_ui.ui.page.guard import own_words
from qwen_ui.ui.page.wishes import (
    MAX_LINKED_PLAN,
    Wish,
    granted,
    linked_plan,
    plan_in_link,
    read_wish,
)
from qwen_ui.visits import own_folder

CONFIG = json.dumps({"model_type": "qwen2", "num_hidden_layers": 2})


@pytest.mark.parametrize("name", ["attention", "bitfit", "mlp", "norms", "full", "none"])
@pytest.mark.parametrize("layers", [None, "all", "0,4,8-11", "first:4"])
def test_a_preset_is_short_in_an_address(name: str, layers: str | None) -> None:
    plan = preset(name, layers)
    text = plan_in_link(plan)
    assert linked_plan(text) == plan
    assert len(text) < 40


def test_another_plan_is_its_json_and_a_long_one_is_left_out() -> None:
    anatomy = open_model("nano")
    names = [parameter.name for parameter in anatomy.parameters]
    some = granted(Session(), Wish(only=tuple(names[3:5])), "nano", default_plan())[1]
    assert linked_plan(plan_in_link(some)) == some
    long = FreezePlan.from_dict(
        {"schema": 1, "name": "x", "rules": [{"train": True, "names": ["n" * MAX_LINKED_PLAN]}]}
    )
    assert plan_in_link(long) == ""


@given(st.text(max_size=60))
def test_whatever_a_link_says_is_a_plan_or_a_mistake(text: str) -> None:
    try:
        found = linked_plan(text)
    except PlanError:
        return
    assert isinstance(found, FreezePlan)


@pytest.mark.parametrize("value", ["", "x", "[]", '{"model": 5}', '{"shell": "ls"}', "null"])
def test_what_is_no_wish(value: str) -> None:
    with pytest.raises(UserError, match="Reload"):
        read_wish(value)


def test_only_what_was_selected_trains() -> None:
    session, anatomy = Session(), open_model("nano")
    asked = tuple(n for n in anatomy.by_name if n.startswith("model.layers.3.self_attn.q_proj"))
    _, plan = granted(session, Wish(only=asked), "nano", default_plan())
    assert resolve(plan, anatomy).names == set(asked)
    assert plan.name == "only model.layers.3.self_attn.q_proj"
    _, plan = granted(session, Wish(only=("lm_head.weight",)), "nano", default_plan())
    assert resolve(plan, anatomy).names == {"model.embed_tokens.weight"}


def test_a_pasted_configuration_opens_and_goes_by_its_own_name() -> None:
    folder = keep_configuration(CONFIG, "")
    assert open_model(folder).block_count == 2
    assert shown_name(folder).startswith("qwen2-")
    assert shown_name(keep_configuration(CONFIG, "my model.json")).startswith("my-model-")
    assert shown_name("nano") == "nano"


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not JSON"), ("[1]", "names no model_type"), ("{" * 2_000_000, "1 MiB")],
)
def test_what_is_no_configuration_is_said_without_echoing_it(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as error:
        keep_configuration(text, "mine.json")
    assert "'mine.json'" in str(error.value)
    assert len(str(error.value)) < 300


def test_the_header_of_weights_names_a_bundled_model() -> None:
    shapes = {p.name: tuple(p.shape) for p in open_model("qwen2.5-3b-instruct").parameters}
    assert model_of_tensors(shapes, "model-00001.safetensors") == "qwen2.5-3b-instruct"
    with pytest.raises(ModelError, match=r"Drop the config\.json"):
        model_of_tensors({"other.weight": (3,)}, "other.safetensors")


def test_a_message_names_a_person_s_own_file_and_the_label_of_a_field() -> None:
    kept = own_folder("uploads") / "0123abcd" / "my data.csv"
    assert own_words(f"'{kept}' is empty.") == "'my data.csv' is empty."
    assert (
        own_words("The setting 'eval_every' is empty.") == "The setting 'Evaluate every' is empty."
    )
    assert own_words("There is no setting 'nonsense'.") == "There is no setting 'nonsense'."
