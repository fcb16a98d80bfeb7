"""The anatomy of Qwen2.5-1.5B-Instruct, figure by figure, and what holds for every module."""

from __future__ import annotations

from collections import Counter

import pytest
from torch import nn
from transformers import GPT2Config, Qwen2Config

from qwen_ui.model import Anatomy, open_model

ATTENTION = {
    "self_attn.q_proj.weight": (1536, 1536),
    "self_attn.q_proj.bias": (1536,),
    "self_attn.k_proj.weight": (256, 1536),
    "self_attn.k_proj.bias": (256,),
    "self_attn.v_proj.weight": (256, 1536),
    "self_attn.v_proj.bias": (256,),
    "self_attn.o_proj.weight": (1536, 1536),
}
MLP = {
    "mlp.gate_proj.weight": (8960, 1536),
    "mlp.up_proj.weight": (8960, 1536),
    "mlp.down_proj.weight": (1536, 8960),
}
NORMS = {"input_layernorm.weight": (1536,), "post_attention_layernorm.weight": (1536,)}


def test_totals(qwen: Anatomy) -> None:
    assert qwen.total_parameters == 1_543_714_304
    assert len(qwen.parameters) == 338
    assert qwen.block_count == 28
    assert {block.parameters for block in qwen.blocks} == {46_797_824}
    assert qwen.dtype == "bfloat16"
    assert qwen.bytes == 2 * 1_543_714_304


def test_twelve_kinds_a_block_with_their_shapes_and_roles(qwen: Anatomy) -> None:
    kinds = {kind.kind: kind for kind in qwen.kinds if kind.blocks}
    assert {kind.kind: kind.shape for kind in kinds.values()} == ATTENTION | MLP | NORMS
    for group, role in ((ATTENTION, "attention"), (MLP, "mlp"), (NORMS, "norm")):
        assert {str(kinds[kind].role) for kind in group} == {role}
    assert {kind.blocks for kind in kinds.values()} == {tuple(range(28))}


def test_roles_over_all_blocks(qwen: Anatomy) -> None:
    by_role: Counter[str] = Counter()
    for parameter in qwen.parameters:
        by_role[str(parameter.role)] += parameter.numel
    assert by_role == {
        "attention": 154_198_016,
        "mlp": 1_156_055_040,
        "norm": 87_552,
        "embedding": 233_373_696,
    }
    assert by_role["attention"] // 28 == 5_507_072
    assert by_role["mlp"] // 28 == 41_287_680


def test_the_tied_head_is_one_tensor_with_two_names(qwen: Anatomy) -> None:
    assert qwen.tied == (("model.embed_tokens.weight", "lm_head.weight"),)
    assert qwen.by_name["lm_head.weight"] is qwen.by_name["model.embed_tokens.weight"]
    assert "lm_head.weight" not in {parameter.name for parameter in qwen.parameters}


def test_block_two_does_not_take_twenty_to_twenty_seven_along(qwen: Anatomy) -> None:
    names = [p.name for p in qwen.parameters if p.block == 2]
    assert len(names) == 12
    assert all(name.startswith("model.layers.2.") for name in names)


def test_biases_are_those_of_query_key_and_value_alone(qwen: Anatomy) -> None:
    biases = [p for p in qwen.parameters if p.name.endswith(".bias")]
    assert {p.kind for p in biases} == {f"self_attn.{x}_proj.bias" for x in "qkv"}
    assert sum(p.numel for p in biases) == 57_344


@pytest.mark.parametrize(
    "preset",
    [
        ("qwen2.5-0.5b-instruct", 494_032_768, 24),
        ("qwen2.5-3b-instruct", 3_085_938_688, 36),
        ("qwen2.5-7b-instruct", 7_615_616_512, 28),
        ("qwen2.5-14b-instruct", 14_770_033_664, 48),
        ("qwen2.5-32b-instruct", 32_763_876_352, 64),
        ("qwen2.5-72b-instruct", 72_706_203_648, 80),
    ],
)
def test_the_other_sizes_have_their_published_counts(preset: tuple[str, int, int]) -> None:
    """Totals as the hub's safetensors metadata gives them for each repository."""
    name, total, blocks = preset
    anatomy = open_model(name)
    assert (anatomy.total_parameters, anatomy.block_count) == (total, blocks)


def test_the_nano_twin_has_the_names_of_the_large_one(qwen: Anatomy) -> None:
    nano = open_model("nano")
    assert [p.name for p in nano.parameters] == [p.name for p in qwen.parameters]
    assert [p.role for p in nano.parameters] == [p.role for p in qwen.parameters]


def test_an_untied_head_is_a_tensor_of_its_own_with_the_role_of_a_head() -> None:
    config = Qwen2Config(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=100,
        tie_word_embeddings=False,
    )
    anatomy = open_model(config)
    assert anatomy.tied == ()
    assert str(anatomy.by_name["lm_head.weight"].role) == "head"


def test_a_bare_module_opens_and_its_ties_are_found_by_identity() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))
            self.layers[1].weight = self.layers[0].weight

    anatomy = open_model(Tied())
    assert anatomy.total_parameters == 9 + 3 + 3
    assert anatomy.tied == (("layers.0.weight", "layers.1.weight"),)
    assert [p.name for p in anatomy.parameters if p.block == 1] == ["layers.1.bias"]


def test_another_family_is_read_from_its_structure() -> None:
    anatomy = open_model(GPT2Config(n_layer=3, n_embd=64, n_head=4))
    roles = {kind.kind: str(kind.role) for kind in anatomy.kinds if kind.blocks}
    assert anatomy.stack == "transformer.h"
    assert roles["attn.c_attn.weight"] == "attention"
    assert roles["mlp.c_fc.bias"] == "mlp"
    assert roles["ln_1.weight"] == "norm"
