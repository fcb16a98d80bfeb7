"""What the Freeze tab's buttons do, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.ui.freeze import actions
from qwen_ui.ui.freeze.pasted import lint_plan
from qwen_ui.ui.freeze.selection_data import names_of, ranges_of
from qwen_ui.ui.page import saved_plan_names
from qwen_ui.ui.page.session import Session

QWEN = open_model("qwen2.5-1.5b-instruct")


def trained(answer: dict[str, object]) -> int:
    names = names_of(QWEN, str(answer["ranges"]))
    return sum(QWEN.by_name[name].numel for name in names)


def test_presets_train_what_they_are_known_to_train() -> None:
    assert trained(actions.choose_preset(QWEN, "attention", "")) == 22_028_288
    assert trained(actions.choose_preset(QWEN, "bitfit", "")) == 8_192
    assert trained(actions.choose_preset(QWEN, "bitfit", "all")) == 57_344
    assert trained(actions.choose_preset(QWEN, "norms", " ")) == 87_552


def test_a_regular_expression_is_counted_and_a_half_typed_one_is_no_fault() -> None:
    found = actions.match(QWEN, r"layers\.2\.")
    assert found["tensors"] == 12
    assert found["parameters"] == 46_797_824
    assert actions.match(QWEN, "^lm_head")["ranges"] == ranges_of(
        QWEN, ["model.embed_tokens.weight"]
    )
    with pytest.raises(PlanError, match="not a valid regular expression"):
        actions.match(QWEN, "(q|")


def test_the_browser_names_the_model_and_the_parameters() -> None:
    functions = {f.__name__: f for f in actions.server_functions(Session())}
    preset_of = functions["choose_preset"]({"source": "nano", "name": "mlp", "layers": "top4"})
    assert preset_of["error"]["kind"] == "PlanError"
    assert "not understood" in preset_of["error"]["message"]
    assert functions["structure"]({"source": "no-such-model"})["error"]["kind"] == "ModelError"
    counted = functions["count_layers"]({"source": "nano", "layers": "last:4,0"})
    assert counted == {"blocks": 5}


def test_a_downloaded_plan_loads_again() -> None:
    chosen = actions.choose_preset(QWEN, "attention", "every:7")
    text = actions.plan_text(QWEN, chosen["ranges"], "mine")
    assert FreezePlan.from_json(text["json"]).name == "mine"
    assert actions.load_plan(QWEN, text["json"])["ranges"] == chosen["ranges"]
    assert text["sentence"] == resolve(preset("attention", "every:7"), QWEN).summary


def test_names_and_axolotl_patterns_load() -> None:
    names = "# comment\n- model.norm.weight\n- model.layers.2.mlp.up_proj.weight\n"
    loaded = names_of(QWEN, actions.load_plan(QWEN, names)["ranges"])
    assert loaded == {"model.norm.weight", "model.layers.2.mlp.up_proj.weight"}
    pattern = "unfrozen_parameters:\n  - 'model.layers.2[0-7]+.self_attn.q_proj'\n"
    loaded = names_of(QWEN, actions.load_plan(QWEN, pattern)["ranges"])
    assert {QWEN.by_name[name].block for name in loaded} == set(range(20, 28))


@pytest.mark.parametrize("text", ["", "\n#\n", "{}", "{", "no_such_name"])
def test_a_file_that_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        actions.load_plan(QWEN, text)


def test_plans_are_kept_replaced_and_forgotten(home_of_its_own: Path) -> None:
    bitfit = actions.choose_preset(QWEN, "bitfit", "")["ranges"]
    name = "../../biases, ünder a name"
    assert actions.save_plan(QWEN, bitfit, name) == {"saved": [name]}
    assert [file.parent for file in home_of_its_own.rglob("*.json")] == [home_of_its_own / "plans"]
    assert actions.choose_saved(QWEN, name)["ranges"] == bitfit
    mlp = actions.choose_preset(QWEN, "mlp", "0")["ranges"]
    assert actions.save_plan(QWEN, mlp, name) == {"saved": [name]}
    assert actions.choose_saved(QWEN, name)["ranges"] == mlp
    assert actions.forget_saved(QWEN, name) == {"saved": []}
    with pytest.raises(PlanError, match="No plan is saved"):
        actions.choose_saved(QWEN, name)


def test_a_kept_plan_needs_a_name_and_a_damaged_one_is_left_out(home_of_its_own: Path) -> None:
    for name in ("", "  ", "x" * 61, "a\nb"):
        with pytest.raises(PlanError, match="name"):
            actions.save_plan(QWEN, "0", name)
    actions.save_plan(QWEN, "0", "good")
    (home_of_its_own / "plans" / "bad.json").write_text("{")
    assert saved_plan_names() == ["good"]


def test_a_pasted_selection_is_answered_with_entries_problems_and_ranges() -> None:
    text = "unfrozen_parameters:\n- model.layers.2\n- model.layer.3.\n"
    found = lint_plan(QWEN, text, "axolotl.yaml")
    assert [(e["entry"], e["matches"]) for e in found["entries"]] == [
        ("model.layers.2", 108),
        ("model.layer.3.", 0),
    ]
    assert [p["severity"] for p in found["problems"]] == ["error", "warning"]
    assert not found["clean"]
    assert len(names_of(QWEN, found["ranges"])) == len(found["names"]) == 108
    assert found["more_names"] == found["more_entries"] == 0
    # What it is as a plan of ours, and what a step of that costs.
    assert found["own"]
    assert found["price"].startswith("A step of 4 x 512 tokens of that plan: ")
    nothing = lint_plan(QWEN, "unfrozen_parameters:\n- model.layer.3.\n", "axolotl.yaml")
    assert nothing["own"] == nothing["price"] == ""
