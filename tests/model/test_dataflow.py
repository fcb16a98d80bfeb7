"""The dataflow of a block is found by a step, not from names."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import (
    BartConfig,
    BertConfig,
    FalconConfig,
    Gemma2Config,
    GraniteConfig,
    Olmo2Config,
    PreTrainedConfig,
    T5Config,
)

from qwen_ui.model import open_model
from qwen_ui.model.dataflow import trace_block

SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def branches(config: PreTrainedConfig) -> list[list[str]]:
    dataflow = trace_block(open_model(config), 1)
    assert dataflow.traced
    return [[part.name for part in branch] for branch in dataflow.branches]


def test_qwen_has_a_norm_before_each_part() -> None:
    dataflow = trace_block(open_model("nano"), 27)
    assert [[p.name for p in b] for b in dataflow.branches] == [
        ["input_layernorm", "self_attn"],
        ["post_attention_layernorm", "mlp"],
    ]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (
            Gemma2Config(**SMALL, head_dim=16),
            [
                ["input_layernorm", "self_attn", "post_attention_layernorm"],
                ["pre_feedforward_layernorm", "mlp", "post_feedforward_layernorm"],
            ],
        ),
        (
            Olmo2Config(**SMALL),
            [["self_attn", "post_attention_layernorm"], ["mlp", "post_feedforward_layernorm"]],
        ),
    ],
    ids=["norms on both sides", "norms behind"],
)
def test_norms_stand_where_they_run(config: PreTrainedConfig, wanted: list[list[str]]) -> None:
    assert branches(config) == wanted


def test_parallel_attention_and_mlp_read_the_same_norm() -> None:
    config = FalconConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=100
    )
    dataflow = trace_block(open_model(config), 0)
    reads = {part.name: part.reads for part in dataflow.parts}
    assert reads["self_attention"] == reads["mlp"] == ("input_layernorm",)
    assert {part.name for part in dataflow.parts if part.added} == {"self_attention", "mlp"}


def test_norms_behind_the_sum_stand_in_the_stream() -> None:
    config = BartConfig(
        d_model=64, decoder_layers=2, encoder_layers=2, decoder_ffn_dim=96,
        decoder_attention_heads=4, encoder_attention_heads=4, vocab_size=100,
    )  # fmt: skip
    dataflow = trace_block(open_model(config), 1)
    assert {part.name for part in dataflow.parts if part.in_stream} == {
        "self_attn_layer_norm",
        "final_layer_norm",
    }
    assert {part.name for part in dataflow.parts if part.added} == {"self_attn", "fc2"}
    assert branches(config)[2] == ["fc1", "activation_fn", "fc2"]


def test_sums_inside_a_part_leave_it_in_the_stream() -> None:
    config = BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        is_decoder=True,
    )  # fmt: skip
    (branch,) = trace_block(open_model(config), 0).branches
    assert [part.name for part in branch] == ["attention", "intermediate", "output"]
    assert branch[-1].in_stream


def test_parts_in_a_list_and_a_scaled_sum_are_followed() -> None:
    t5 = T5Config(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4)
    assert branches(t5) == [["layer.0", "layer.1", "layer.2"]]
    scaled = trace_block(open_model(GraniteConfig(**SMALL, residual_multiplier=0.5)), 1)
    assert [part.name for part in scaled.parts if part.added] == ["self_attn", "mlp"]
