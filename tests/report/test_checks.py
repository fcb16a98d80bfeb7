"""Each sanity check passes on Qwen2.5-1.5B-Instruct and fails on a model that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, FakeModel, open_model
from qwen_ui.model.reading import read_anatomy
from qwen_ui.report.check_attention import check_attention
from qwen_ui.report.check_names import check_collisions, check_pattern
from qwen_ui.report.check_parts import check_mlp, check_norms, check_unusual
from qwen_ui.report.checks import audit, check_sharing, check_stored, check_total
from qwen_ui.report.gradients import check_gradients, names_with_gradient


def config() -> Qwen2Config:
    return Qwen2Config(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=100,
        tie_word_embeddings=True,
    )


def tiny(break_it: Callable[[Any], None] = lambda model: None) -> tuple[Anatomy, PreTrainedModel]:
    """A tiny Qwen2 after `break_it` was done to it, and its anatomy."""
    model = Qwen2ForCausalLM(config())
    break_it(model)
    return read_anatomy(model, source="tiny"), model


def test_every_check_passes_on_the_default_model(qwen: Anatomy) -> None:
    checks = audit(qwen)
    assert [check.name for check in checks if not check.passed] == []
    assert len(checks) == 9
    text = " ".join(check.evidence for check in checks)
    for figure in ("1,777,088,000", "256 rows", "57 × Qwen2RMSNorm", "blocks 2 and 20-27"):
        assert figure in text


def test_every_check_passes_on_the_tiny_model() -> None:
    anatomy, _ = tiny()
    for check in (check_sharing, check_attention, check_norms, check_mlp, check_unusual):
        assert check(anatomy)[0], check.__name__


def untie(model: Any) -> None:
    model.lm_head.weight = torch.nn.Parameter(torch.zeros(100, 32))


def shrink_keys(model: Any) -> None:
    for layer in model.model.layers:
        layer.self_attn.k_proj = torch.nn.Linear(32, 8)


def swap_a_norm(model: Any) -> None:
    model.model.norm = torch.nn.LayerNorm(32)


def widen_a_gate(model: Any) -> None:
    model.model.layers[3].mlp.gate_proj = torch.nn.Linear(32, 96, bias=False)


def add_a_stranger(model: Any) -> None:
    model.model.layers[1].gadget = torch.nn.Linear(4, 4)


@pytest.mark.parametrize(
    ("check", "break_it", "says"),
    [
        (check_sharing, untie, "No: every name is a tensor of its own"),
        (check_attention, shrink_keys, "has 8 rows instead of 16"),
        (check_norms, swap_a_norm, "1 × LayerNorm"),
        (
            check_mlp,
            widen_a_gate,
            "gate 96 × 32, up 64 × 32, down 32 × 64; they do not fit in block 3",
        ),
        (check_unusual, add_a_stranger, "`gadget.weight`"),
    ],
)
def test_a_check_fails_on_a_model_that_breaks_it(
    check: Callable[[Anatomy], tuple[bool, str]], break_it: Callable[[Any], None], says: str
) -> None:
    passed, evidence = check(tiny(break_it)[0])
    assert not passed
    assert says in evidence


def test_a_total_that_does_not_agree_fails() -> None:
    anatomy, model = tiny()
    assert check_total(anatomy, model)[0]
    short = replace(anatomy, parameters=anatomy.parameters[1:])
    assert not check_total(short, model)[0]


def test_a_block_without_a_matching_name_fails_the_pattern() -> None:
    anatomy, _ = tiny()
    assert check_pattern(anatomy)[0]
    assert not check_pattern(replace(anatomy, stack="model.blocks"))[0]
    assert not check_pattern(replace(anatomy, blocks=()))[0]


def test_blocks_read_by_their_first_digit_fail_the_collision_check() -> None:
    anatomy, _ = tiny()
    assert check_collisions(anatomy)[0]
    wrong = tuple(replace(p, block=2) if p.block == 4 else p for p in anatomy.parameters)
    passed, evidence = check_collisions(replace(anatomy, parameters=wrong))
    assert not passed
    assert "Index 2" in evidence


def fake() -> tuple[Anatomy, FakeModel]:
    mode = FakeTensorMode()
    with mode:
        model = Qwen2ForCausalLM(config())
    return read_anatomy(model, source="tiny"), FakeModel(model, mode)


def test_gradients_land_on_the_selected_parameters_alone() -> None:
    anatomy, model = fake()
    assert check_gradients(anatomy, model)[0]
    names = resolve(preset("attention"), anatomy).names
    assert names_with_gradient(model, names, 8) == names
    assert len(names) == 4 * 7


def test_a_block_that_is_cut_off_fails_the_gradient_check() -> None:
    anatomy, model = fake()
    model.module.model.layers[4].register_forward_hook(lambda module, args, output: output.detach())
    passed, evidence = check_gradients(anatomy, model)
    assert not passed
    assert "none on `model.layers.2.self_attn.k_proj.bias`" in evidence


def test_a_model_that_cannot_run_says_so_and_does_not_pass() -> None:
    anatomy, model = fake()

    def stop(*_: object) -> None:
        raise RuntimeError("no kernel")

    model.module.model.layers[0].register_forward_pre_hook(stop)
    passed, evidence = check_gradients(anatomy, model)
    assert not passed
    assert "no kernel" in evidence


def test_weights_that_lack_a_tensor_fail_the_report_of_their_folder(tmp_path: Path) -> None:
    model = Qwen2ForCausalLM(config())
    model.save_pretrained(tmp_path)
    assert check_stored(open_model(str(tmp_path)))[0]
    file = tmp_path / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(file).items() if "norm" not in name}
    save_file(kept, file)
    passed, evidence = check_stored(open_model(str(file)))
    assert not passed
    assert "13 missing (`model.layers.0.input_layernorm.weight`" in evidence
