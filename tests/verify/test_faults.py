"""Every planted fault is found and named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from qwen_ui.errors import ModelError
from qwen_ui.freeze import FreezePlan
from qwen_ui.model.weights import read_weights
from qwen_ui.verify import Verification, verify
from tests.helpers.checkpoint_families import (
    Weights,
    change_config,
    change_weights,
    save_family,
)
from tests.verify.conftest import copied, save_adapter, saved_by_transformers, trained

Q3 = "model.layers.3.self_attn.q_proj.weight"
EMBEDDING = "model.embed_tokens.weight"


@pytest.fixture(scope="module")
def tuned(base: Path, top_attention: FreezePlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Honestly trained: faults are planted in copies of it."""
    folder = tmp_path_factory.mktemp("tuned") / "tuned"
    return saved_by_transformers(base, folder, trained(top_attention, base))


def messages(found: Verification) -> str:
    return "\n".join(problem.message for problem in found.problems)


def test_one_bit_in_a_frozen_tensor(
    base: Path, tuned: Path, top_attention: FreezePlan, tmp_path: Path
) -> None:
    folder = copied(tuned, tmp_path / "bit")
    stored = read_weights(folder).tensors[EMBEDDING]
    with stored.file.open("r+b") as file:
        file.seek(stored.start + 4 * 1000)
        byte = file.read(1)[0]
        file.seek(stored.start + 4 * 1000)
        file.write(bytes([byte ^ 1]))  # the lowest bit of the 1,000th element's mantissa
    found = verify(str(base), str(folder), top_attention)
    assert found.frozen_but_changed == (EMBEDDING,)
    (change,) = [change for change in found.changed if change.name == EMBEDDING]
    assert change.elements == 1
    assert 0 < change.relative_change < 1e-8  # type: ignore[operator]
    assert not found.kept


def test_a_decayed_bias(base: Path, tuned: Path, top_attention: FreezePlan, tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.k_proj.bias"
    folder = change_weights(
        copied(tuned, tmp_path / "decayed"), lambda w: w | {name: w[name] * 0.99}
    )
    found = verify(str(base), str(folder), top_attention)
    assert found.frozen_but_changed == (name,)
    (change,) = [change for change in found.changed if change.name == name]
    assert change.relative_change == pytest.approx(0.01, rel=1e-4)


def test_a_frozen_tensor_that_moved_below_the_base_s_precision(
    base: Path, top_attention: FreezePlan, tmp_path: Path
) -> None:
    """Decayed in float32 by less than bfloat16 holds: saved wide it is no mere change of dtype."""
    name = "model.layers.0.mlp.up_proj.weight"
    narrow = saved_by_transformers(base, tmp_path / "narrow", lambda m: m.to(torch.bfloat16))
    wide = saved_by_transformers(narrow, tmp_path / "wide", lambda m: m.float())
    plan = top_attention
    assert verify(str(narrow), str(wide)).changed == ()
    decayed = change_weights(wide, lambda w: w | {name: w[name] * (1 - 1e-6)})
    found = verify(str(narrow), str(decayed), plan)
    assert found.frozen_but_changed == (name,)
    assert "rounded to bfloat16 they are the base's" in messages(found)
    assert not found.kept


def test_what_was_to_train_and_did_not(
    base: Path, tuned: Path, top_attention: FreezePlan, tmp_path: Path
) -> None:
    before = dict(AutoModelForCausalLM.from_pretrained(base).named_parameters())
    folder = change_weights(
        copied(tuned, tmp_path / "still"), lambda w: w | {Q3: before[Q3].detach()}
    )
    found = verify(str(base), str(folder), top_attention)
    assert found.trainable_but_unchanged == (Q3,)
    assert found.frozen_but_changed == ()
    assert not found.kept


def test_an_inert_adapter(base: Path, tmp_path: Path) -> None:
    found = verify(str(base), str(save_adapter(base, tmp_path / "inert", inert=True)))
    assert found.form == "adapter"
    assert len(found.inert) == 4
    assert "Adapters add nothing to 4 tensors" in messages(found)
    assert not found.kept


def test_a_head_untied_and_moved(base: Path, tuned: Path, tmp_path: Path) -> None:
    folder = change_weights(
        copied(tuned, tmp_path / "untied"),
        lambda w: w | {"lm_head.weight": w[EMBEDDING] + 0.01},
    )
    found = verify(str(base), str(folder))
    assert found.broken_ties == ((EMBEDDING, "lm_head.weight"),)
    assert not found.kept
    change_config(folder, tie_word_embeddings=False)
    assert not verify(str(base), str(folder)).kept


def test_a_head_untied_by_the_configuration_alone(base: Path, tuned: Path, tmp_path: Path) -> None:
    folder = change_weights(
        copied(tuned, tmp_path / "untied"), lambda w: w | {"lm_head.weight": w[EMBEDDING]}
    )
    change_config(folder, tie_word_embeddings=False)
    found = verify(str(base), str(folder))
    assert found.broken_ties == ()
    assert "does not tie them" in messages(found)


def test_a_block_from_another_checkpoint(
    base: Path, tuned: Path, top_attention: FreezePlan, tmp_path: Path
) -> None:
    other = save_family(tmp_path / "other", "qwen2", initializer_range=0.03)
    strange = dict(AutoModelForCausalLM.from_pretrained(other).named_parameters())
    torch.manual_seed(5)

    def exchange(weights: Weights) -> Weights:
        block = {n: torch.randn_like(t) * t.std() for n, t in weights.items() if ".layers.1." in n}
        matrices = {n: strange[n].detach() for n in block if "norm" in n or "bias" in n}
        return weights | block | matrices

    folder = change_weights(copied(tuned, tmp_path / "exchanged"), exchange)
    found = verify(str(base), str(folder), top_attention)
    assert {change.block for change in found.changed} == {1, 3}
    assert all(".layers.1." in name for name in found.frozen_but_changed)
    assert len(found.frozen_but_changed) >= 7
    assert "by block: 1." in messages(found)
    assert "by block: 1." in messages(verify(str(base), str(folder)))  # without a plan too


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_dtype_round_trip(
    base: Path, tuned: Path, top_attention: FreezePlan, tmp_path: Path, dtype: torch.dtype
) -> None:
    folder = change_weights(
        copied(tuned, tmp_path / "trip"), lambda w: {n: t.to(dtype).float() for n, t in w.items()}
    )
    found = verify(str(base), str(folder), top_attention)
    name = str(dtype).removeprefix("torch.")
    assert {c.round_trip for c in found.changed if c.name in found.frozen_but_changed} == {name}
    assert EMBEDDING in found.frozen_but_changed
    assert f"rounded to {name}" in messages(found)


def test_nan_missing_unexpected_and_reshaped(base: Path, tuned: Path, tmp_path: Path) -> None:
    norm, gone = "model.norm.weight", "model.layers.2.mlp.up_proj.weight"

    def spoil(weights: Weights) -> Weights:
        weights[norm][3] = float("nan")
        weights["model.layers.0.extra.weight"] = torch.ones(2)
        weights["model.layers.1.mlp.down_proj.weight"] = torch.zeros(32, 40)
        del weights[gone]
        return weights

    found = verify(str(base), str(change_weights(copied(tuned, tmp_path / "spoilt"), spoil)))
    assert found.not_finite == {norm: 1}
    assert found.missing == (gone,)
    assert found.unexpected == ("model.layers.0.extra.weight",)
    assert found.reshaped == ("model.layers.1.mlp.down_proj.weight",)
    assert sum(problem.severity == "error" for problem in found.problems) == 4


def test_nan_that_the_base_has_too(tuned: Path, tmp_path: Path) -> None:
    def spoil(weights: Weights) -> Weights:
        weights["model.norm.weight"][0] = float("inf")
        return weights

    folder = change_weights(copied(tuned, tmp_path / "infinite"), spoil)
    found = verify(str(folder), str(folder))
    assert found.not_finite == {"model.norm.weight": 1}
    assert "The base itself" in messages(found)


def test_a_delta_on_another_base(tmp_path: Path, base: Path, top_attention: FreezePlan) -> None:
    from qwen_ui.engine.delta import write_delta  # noqa: PLC0415

    file = tmp_path / "delta.safetensors"
    write_delta(
        file,
        {Q3: torch.zeros(32, 32)},
        base="0" * 64,
        plan=top_attention.to_dict(),
        spec={"model": {"model": "another"}},
        step=1,
    )
    found = verify(str(base), str(file))
    assert "The delta was trained on other weights" in messages(found)
    assert found.plan == top_attention  # the delta's own
    assert len(found.trainable_but_unchanged) == 6


def test_an_expert_of_many(top_attention: FreezePlan, tmp_path: Path) -> None:
    """Stored one by one, stacked in the model: it is named as the model names it."""
    base = save_family(tmp_path / "moe", "qwen2_moe")
    name = "model.layers.2.mlp.experts.1.up_proj.weight"
    assert name in read_weights(base).tensors
    folder = change_weights(copied(base, tmp_path / "tuned"), lambda w: w | {name: w[name] * 1.5})
    found = verify(str(base), str(folder), top_attention)
    assert [c.name for c in found.changed] == ["model.layers.2.mlp.experts.gate_up_proj"]
    stacked = json.loads(json.dumps(found.changed[0].shapes))
    assert stacked[0] == [4, 32, 32]
    assert found.changed[0].elements == 16 * 32


def test_an_adapter_that_peft_cannot_merge(base: Path, tmp_path: Path) -> None:
    """A bias of the adapter where the layer has none: a sentence, and no trace."""
    folder = save_adapter(base, tmp_path / "adapter", target_modules=["up_proj"], lora_bias=True)
    with pytest.raises(ModelError, match="cannot merge the adapter on"):
        verify(str(base), str(folder))
