"""The rows that the browser gets, and what the panel says."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from transformers import CONFIG_MAPPING

from qwen_ui.errors import ModelError
from qwen_ui.formats import unbroken
from qwen_ui.model import Anatomy, open_model
from qwen_ui.ui.inspect.detail import detail_html, source_text
from qwen_ui.ui.inspect.tree import FOLD, MODULE, TENSOR, subtree_bytes, tree_record


@pytest.fixture(scope="module")
def qwen() -> Anatomy:
    return open_model("qwen2.5-1.5b-instruct")


def test_every_module_and_tensor_is_a_row_once(qwen: Anatomy) -> None:
    rows = tree_record(qwen)["rows"]
    assert {len(column) for column in rows.values()} == {len(rows["name"])}
    types = Counter(rows["type"])
    assert types[MODULE] == len(qwen.modules)
    assert types[TENSOR] == 338 + 1
    assert types[FOLD] == 1
    counted = [
        n
        for n, t, tied in zip(rows["count"], rows["type"], rows["tied"], strict=True)
        if t == TENSOR and not tied
    ]
    assert sum(counted) == qwen.total_parameters


def test_identical_blocks_are_one_row(qwen: Anatomy) -> None:
    rows = tree_record(qwen)["rows"]
    at = rows["type"].index(FOLD)
    assert rows["label"][at] == "0-27 · 28 × Qwen2DecoderLayer"
    assert rows["count"][at] == 28 * 46_797_824
    assert rows["depth"][at + 1] == rows["depth"][at] + 1


def test_the_tied_head_is_shown_and_not_counted_again(qwen: Anatomy) -> None:
    rows = tree_record(qwen)["rows"]
    at = rows["name"].index("lm_head.weight")
    assert rows["tied"][at] == "model.embed_tokens.weight"
    assert subtree_bytes(qwen)[""] == qwen.bytes


def test_the_largest_model_of_all_is_a_small_message() -> None:
    anatomy = open_model(CONFIG_MAPPING["glm_moe_dsa"]())
    assert len(anatomy.modules) == 1945
    assert len(json.dumps(tree_record(anatomy))) < 600_000


def test_the_panel_says_why_a_key_has_256_rows(qwen: Anatomy) -> None:
    said = detail_html(qwen, "model.layers.3.self_attn.k_proj.weight")
    assert unbroken("256 outputs: 2 key-value heads × 128") in said
    assert "1,536 inputs: the width of the residual stream (hidden_size)" in said
    assert "393,216" in said


def test_the_panel_of_a_module_has_formula_class_configuration_and_share(qwen: Anatomy) -> None:
    said = detail_html(qwen, "model.layers.3.mlp")
    assert "down(silu(gate(x)) · up(x))" in said
    assert "Qwen2MLP" in said
    assert "<dt>intermediate_size</dt><dd>8960</dd>" in said
    assert unbroken("41,287,680 (2.67 %)") in said


def test_the_panel_of_a_fold_speaks_for_all(qwen: Anatomy) -> None:
    said = detail_html(qwen, "model.layers.0", fold=True)
    assert "28 identical modules" in said
    assert "1,310,339,072" in said


def test_a_tie_is_told_from_both_sides(qwen: Anatomy) -> None:
    assert "same tensor as model.embed_tokens.weight" in detail_html(qwen, "lm_head.weight")
    assert "training one trains both" in detail_html(qwen, "model.embed_tokens")


@pytest.mark.parametrize("name", ["model.layers.99", "<script>", "model.layer"])
def test_a_name_that_is_not_there_is_a_sentence(qwen: Anatomy, name: str) -> None:
    with pytest.raises(ModelError, match="has no module or tensor"):
        detail_html(qwen, name)


def test_every_module_and_tensor_has_a_panel(qwen: Anatomy) -> None:
    """Of the first block and of all that is outside the blocks; the other blocks are alike."""
    for module in qwen.modules:
        if module.block in (0, None):
            assert detail_html(qwen, module.name).startswith("<h2")
    for parameter in qwen.parameters:
        if parameter.block in (0, None):
            assert parameter.name in detail_html(qwen, parameter.name).replace("<wbr>", "")


def test_source_comes_from_the_installed_library_alone(qwen: Anatomy) -> None:
    assert source_text(qwen, "model.layers.0.mlp").startswith("class Qwen2MLP(")
    assert "not in an installed library" in source_text(qwen, "no.such.module")
