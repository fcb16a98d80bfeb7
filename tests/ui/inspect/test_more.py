"""The pictures, the comparison, the weights and the diagram, as the page gets them."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BartConfig,
    DeepseekV3Config,
    Gemma3Config,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.difference import compare_models
from qwen_ui.model.weights.grid import WeightGrid, measure_weights
from qwen_ui.model.weights.measures import MEASURES
from qwen_ui.ui.inspect.block_diagram import block_svg
from qwen_ui.ui.inspect.contrast import ink_on, luminance
from qwen_ui.ui.inspect.figures import (
    ROLE_COLOURS,
    block_bars,
    parameter_treemap,
    weight_heatmap,
)
from qwen_ui.ui.inspect.more import difference_html, report_file
from qwen_ui.ui.inspect.weights import values_html, weights_html


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
def test_what_stands_in_a_cell_of_the_treemap_is_read(qwen: Anatomy, dark: bool) -> None:
    """WCAG 2.1 asks for a contrast of 4.5 of small text."""
    for ground in ROLE_COLOURS[dark].values():
        low, high = sorted((luminance(ground), luminance(ink_on(ground))))
        assert (high + 0.05) / (low + 0.05) >= 4.5, ground
    (trace,) = parameter_treemap(qwen, dark=dark).data
    assert trace.textfont.color[1:] == tuple(map(ink_on, trace.marker.colors[1:]))


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


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_gives_a_grid_and_a_heat_map(stored: Anatomy, measure: str) -> None:
    grid = measure_weights(stored, measure)
    assert len(grid.values) == 12
    assert {len(row) for row in grid.values} == {3}
    by_kind = dict(zip(grid.kinds, grid.values, strict=True))
    assert all(math.isfinite(v) for v in by_kind["mlp.up_proj.weight"])
    (trace,) = weight_heatmap(grid, dark=True).data
    assert trace.z[0][0] is None or isinstance(trace.z[0][0], float)


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
    assert "The weights of qwen2.5-1.5b-instruct are not on this machine" in weights_html(
        replace(qwen, weights_folder=None)
    )


def test_weights_that_do_not_fit_are_listed_by_name(stored: Anatomy, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    tensors["<b>.stranger"] = tensors.pop("model.norm.weight")
    tensors["model.layers.1.self_attn.k_proj.bias"] = torch.zeros(3)
    tensors["model.layers.1.self_attn.v_proj.bias"] = torch.zeros(16, dtype=torch.float64)
    save_file(tensors, file)
    said = weights_html(stored)
    assert '1 missing in the files</summary><pre tabindex="0">model.norm.weight<' in said
    assert '1 not in the architecture</summary><pre tabindex="0">&lt;b&gt;.stranger<' in said
    assert "k_proj.bias: [3] in the file, [16] in the architecture" in said
    assert "v_proj.bias: float64, float32" in said


def test_weights_that_cannot_be_read_are_a_sentence(stored: Anatomy, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "is cut off" in weights_html(stored)


def test_values_of_a_matrix_come_with_its_singular_values(stored: Anatomy) -> None:
    said = values_html(stored, "model.layers.0.mlp.up_proj.weight")
    assert "standard deviation" in said
    assert said.count("<li>") == 8
    assert "of 32</dd>" in said
    vector = values_html(stored, "model.norm.weight")
    assert "<dd>1 to 1</dd>" in vector
    assert "<li>" not in vector
    with pytest.raises(ModelError, match="has no tensor"):
        values_html(stored, "no.such.weight")


def test_a_heat_map_by_kind_stretches_each_row_and_keeps_the_values() -> None:
    grid = WeightGrid("mean", ("a", "b"), (0, 1), ((1.0, 3.0), (math.nan, 7.0)))
    (trace,) = weight_heatmap(grid, dark=False, by_kind=True).data
    assert [list(row) for row in trace.z] == [[0.0, 1.0], [None, 0.0]]
    assert trace.customdata[0] == [1.0, 3.0]


def test_layers_of_a_vision_tower_are_one_area() -> None:
    config = Gemma3Config(
        text_config={"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 100},
        vision_config={"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4,
                       "intermediate_size": 48, "image_size": 56},
    )  # fmt: skip
    anatomy = open_model(config)
    (trace,) = parameter_treemap(anatomy, dark=False).data
    towers = [name for name in trace.ids if "vision_tower" in name and "q_proj.weight" in name]
    assert len(towers) == 1
    assert ".*." in towers[0]
    assert trace.values[0] == anatomy.total_parameters


def test_nested_parts_are_drawn_and_no_text_leaves_its_box() -> None:
    config = DeepseekV3Config(
        hidden_size=7168, intermediate_size=96, moe_intermediate_size=2048, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, vocab_size=100, n_routed_experts=256,
        n_group=1, topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1,
    )  # fmt: skip
    root = ElementTree.fromstring(block_svg(open_model(config), 1))
    inside = {node.get("data-inside") for node in root.iter() if node.get("data-inside")}
    assert {"mlp.experts.gate_up_proj", "mlp.shared_experts.up_proj", "mlp.gate"} <= inside
    for group in root.iter("{*}g"):
        wide = float(next(group.iter("{*}rect")).get("width", "0"))
        for text in group.iter("{*}text"):
            letters = len("".join(text.itertext()))
            size = 10 if text.get("class") == "qi-cell-shape" else 12
            assert letters * size * 0.6 <= wide + 1, "".join(text.itertext())


def test_a_norm_that_stands_in_the_stream_breaks_it() -> None:
    config = BartConfig(
        d_model=64, decoder_layers=2, encoder_layers=2, decoder_ffn_dim=96,
        decoder_attention_heads=4, encoder_attention_heads=4, vocab_size=100,
    )  # fmt: skip
    root = ElementTree.fromstring(block_svg(open_model(config), 1))
    drawn = [node.get("class") for node in root.iter()]
    assert drawn.count("qi-sum") == 2
    assert drawn.count("qi-stream") == 3


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
