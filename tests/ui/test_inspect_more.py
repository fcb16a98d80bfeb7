"""The pictures, the comparison, the weights and the diagram, as the page gets them."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import Qwen2Config, Qwen2ForCausalLM

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.difference import compare_models
from qwen_ui.model.weight_grid import MEASURES, measure_weights
from qwen_ui.ui.block_diagram import block_svg
from qwen_ui.ui.figures import block_bars, parameter_treemap, weight_heatmap
from qwen_ui.ui.inspect_more import _MEASURES, difference_html, report_file, weights_html


@pytest.fixture(scope="module")
def qwen() -> Anatomy:
    return open_model("qwen2.5-1.5b-instruct")


@pytest.fixture
def stored(tmp_path: Path) -> Anatomy:
    config = Qwen2Config(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=100,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(tmp_path)
    return open_model(str(tmp_path))


@pytest.mark.parametrize("dark", [False, True])
def test_the_treemap_has_every_parameter_once(qwen: Anatomy, dark: bool) -> None:
    (trace,) = parameter_treemap(qwen, dark=dark).data
    assert trace.values[0] == qwen.total_parameters
    leaves = [
        value
        for name, value in zip(trace.ids, trace.values, strict=True)
        if name not in set(trace.parents)
    ]
    assert sum(leaves) == qwen.total_parameters
    assert len(set(trace.ids)) == len(trace.ids)


def test_bars_sum_to_the_blocks(qwen: Anatomy) -> None:
    figure = block_bars(qwen, dark=False)
    totals = [sum(column) for column in zip(*(trace.y for trace in figure.data), strict=True)]
    assert totals == [46_797_824] * 28


@pytest.mark.parametrize("measure", _MEASURES)
def test_every_measure_gives_a_grid_and_a_heat_map(stored: Anatomy, measure: str) -> None:
    grid = measure_weights(stored, measure)
    assert len(grid.values) == 12
    assert {len(row) for row in grid.values} == {3}
    by_kind = dict(zip(grid.kinds, grid.values, strict=True))
    assert all(math.isfinite(v) for v in by_kind["mlp.up_proj.weight"])
    (trace,) = weight_heatmap(grid, dark=True).data
    assert trace.z[0][0] is None or isinstance(trace.z[0][0], float)


def test_the_page_offers_what_can_be_measured() -> None:
    assert set(_MEASURES) == set(MEASURES)


def test_known_weights_have_known_measures(stored: Anatomy) -> None:
    grid = measure_weights(stored, "mean")
    by_kind = dict(zip(grid.kinds, grid.values, strict=True))
    assert by_kind["input_layernorm.weight"] == (1.0, 1.0, 1.0)
    assert by_kind["self_attn.q_proj.bias"] == (0.0, 0.0, 0.0)
    ranks = measure_weights(stored, "effective rank")
    assert math.isnan(
        dict(zip(ranks.kinds, ranks.values, strict=True))["input_layernorm.weight"][0]
    )


def test_weights_are_told_to_fit_or_to_be_missing(stored: Anatomy, qwen: Anatomy) -> None:
    assert "Every name and shape of the weights fits" in weights_html(stored)
    assert "No weights of qwen2.5-1.5b-instruct are at hand" in weights_html(
        replace(qwen, weights_folder=None)
    )


def test_what_differs_is_marked_by_a_word_and_escaped(qwen: Anatomy) -> None:
    other = replace(open_model("qwen2.5-7b-instruct"), source="<b>7b</b>")
    said = difference_html(qwen, other, compare_models(qwen, other))
    assert "<b>7b" not in said
    assert '<th scope="row">width</th><td>1,536</td><td>3,584</td><td>differs</td>' in said


def test_the_diagram_is_well_formed_and_names_every_holder(qwen: Anatomy) -> None:
    root = ElementTree.fromstring(block_svg(qwen, 0))
    inside = {node.get("data-inside") for node in root.iter() if node.get("data-inside")}
    assert {"self_attn", "self_attn.k_proj", "mlp.gate_proj", "input_layernorm"} <= inside
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")] or [
        node.text for node in root.iter("text")
    ]
    assert "256 × 1,536 + b" in texts
    assert "residual stream, 1,536 wide" in texts
    assert len([n for n in root.iter() if n.get("class") == "qi-sum"]) == 2


def test_a_report_is_a_file_with_a_plain_name(qwen: Anatomy) -> None:
    file = report_file(replace(qwen, source="../../etc/passwd"), "text")
    assert file.name == "etc-passwd-inspection.md"
    assert file.read_text() == "text"
