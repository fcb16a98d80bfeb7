"""The wiring of a block is found by a step, not from names."""

from __future__ import annotations

import pytest
from transformers import FalconConfig, Gemma2Config, Olmo2Config

from qwen_ui.model import open_model
from qwen_ui.model.wiring import trace_block

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def branches(config: object) -> list[list[str]]:
    wiring = trace_block(open_model(config), 1)
    assert wiring.traced
    return [[part.name for part in branch] for branch in wiring.branches]


def test_qwen_has_a_norm_before_each_part() -> None:
    wiring = trace_block(open_model("nano"), 27)
    assert [[p.name for p in b] for b in wiring.branches] == [
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
def test_norms_stand_where_they_run(config: object, wanted: list[list[str]]) -> None:
    assert branches(config) == wanted


def test_parallel_attention_and_mlp_read_the_same_norm() -> None:
    config = FalconConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=100
    )
    wiring = trace_block(open_model(config), 0)
    reads = {part.name: part.reads for part in wiring.parts}
    assert reads["self_attention"] == reads["mlp"] == ("input_layernorm",)
