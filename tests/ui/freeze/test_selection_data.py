"""What the selector's JavaScript gets and sends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.ui.freeze.selection_data import names_of, ranges_of, structure_record
from qwen_ui.ui.freeze.selector import shell
from tests.helpers.tiny_wrappers import WRAPPERS

NANO = open_model("nano")


@pytest.mark.parametrize("source", ["qwen2.5-1.5b-instruct", "nano", "qwen2.5-7b-instruct"])
def test_the_browser_can_tell_every_name_and_count_from_the_structure(source: str) -> None:
    anatomy = open_model(source)
    record = json.loads(json.dumps(structure_record(anatomy)))
    names, total = [], 0
    for block, index in zip(record["block"], record["kind"], strict=True):
        kind, _, shape = record["kinds"][index]
        names.append(kind if block < 0 else f"{record['stack']}.{block}.{kind}")
        size = 1
        for dimension in shape:
            size *= dimension
        total += size
    assert names == [parameter.name for parameter in anatomy.parameters]
    assert total == record["total"] == anatomy.total_parameters
    aliases = [alias for p in anatomy.parameters for alias in p.aliases]
    assert [name for _, name in record["aliases"]] == aliases


@given(st.sets(st.sampled_from([p.name for p in NANO.parameters])))
def test_ranges_and_names_are_inverse(names: set[str]) -> None:
    assert names_of(NANO, ranges_of(NANO, names)) == names


def test_ranges_are_short() -> None:
    everything = [p.name for p in NANO.parameters]
    assert ranges_of(NANO, everything) == f"0-{len(everything) - 1}"
    assert ranges_of(NANO, []) == ""
    assert ranges_of(NANO, [everything[0], everything[1], everything[5]]) == "0-1,5"


@pytest.mark.parametrize("text", ["x", "3-1", "0-99999", "1,,2", "-1", "1" * 30])
def test_nonsense_from_the_browser_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="range"):
        names_of(NANO, text)


def test_a_tied_head_has_one_number() -> None:
    record = structure_record(NANO)
    [[index, alias]] = record["aliases"]
    assert alias == "lm_head.weight"
    assert names_of(NANO, str(index)) == {"model.embed_tokens.weight"}


@pytest.mark.parametrize("model_type", ["qwen2_5_vl", "gemma3", "llava", "qwen3_vl"])
def test_the_browser_is_told_what_text_cannot_reach(model_type: str) -> None:
    anatomy = open_model(WRAPPERS[model_type]())
    out_of_reach = names_of(anatomy, structure_record(anatomy)["unreached"])
    everything = frozenset(p.name for p in anatomy.parameters)
    assert out_of_reach
    assert everything - out_of_reach == resolve(preset("full"), anatomy).names


def test_text_reaches_all_of_a_model_of_text() -> None:
    assert structure_record(NANO)["unreached"] == ""


def test_the_shell_offers_every_preset() -> None:
    for name in ("attention", "bitfit", "mlp", "norms", "embeddings", "full", "none"):
        assert f'data-preset="{name}"' in shell()


def test_structure_of_a_model_is_small() -> None:
    assert len(json.dumps(structure_record(NANO))) < 20 * len(NANO.parameters)
