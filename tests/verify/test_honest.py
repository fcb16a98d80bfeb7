"""No false alarm on checkpoints that honest tools made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from qwen_ui.engine import apply_delta
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.runs import DELTA_NAME
from qwen_ui.verify import Verification, verify, verify_run
from tests.helpers.checkpoint_families import change_weights, save_family
from tests.helpers.runs import spec_for, train
from tests.helpers.tiny_models import save_model
from tests.verify.conftest import copied, save_adapter, saved_by_transformers, trained

TOP = preset("attention", "last:1")
TOP_NAMES = {
    f"model.layers.3.self_attn.{name}"
    for name in (
        *("q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias"),
        *("v_proj.weight", "v_proj.bias", "o_proj.weight"),
    )
}
EMBEDDING = "model.embed_tokens.weight"


def honest(found: Verification) -> bool:
    """Whether nothing is called wrong; the problems are shown where something is."""
    assert found.problems == ()
    return found.kept


def same(base: Path, target: Path) -> Path:
    return saved_by_transformers(base, target, lambda model: None)


def sharded(base: Path, target: Path) -> Path:
    return saved_by_transformers(base, target, trained(TOP, base), max_shard_size="20KB")


def head_stored_too(base: Path, target: Path) -> Path:
    return change_weights(
        copied(base, target), lambda w: w | {"lm_head.weight": w[EMBEDDING].clone()}
    )


def head_stored_alone(base: Path, target: Path) -> Path:
    def rename(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        weights["lm_head.weight"] = weights.pop(EMBEDDING)
        return weights

    return change_weights(copied(base, target), rename)


SAVES: dict[str, tuple[Callable[[Path, Path], Path], set[str]]] = {
    "saved again": (same, set()),
    "sharded": (sharded, TOP_NAMES),
    "tied head stored": (head_stored_too, set()),
    "tied head stored alone": (head_stored_alone, set()),
}


@pytest.mark.parametrize("how", SAVES)
def test_transformers_own_saves(base: Path, tmp_path: Path, how: str) -> None:
    make, changed = SAVES[how]
    found = verify(str(base), str(make(base, tmp_path / "saved")), TOP if changed else None)
    assert honest(found)
    assert {change.name for change in found.changed} == changed
    assert len(found.changed) + len(found.unchanged) == len(found.anatomy.parameters)


@pytest.mark.parametrize(
    "family", ["llama", "gpt2", "gpt_neox", "qwen2_moe", "mixtral", "phi3", "qwen2_5_vl", "bloom"]
)
def test_other_families(family: str, tmp_path: Path) -> None:
    """Renamed, stacked and fused tensors; one tensor moved, saved by transformers."""
    base = save_family(tmp_path / "base", family)
    names: list[str] = []

    def move(model: torch.nn.Module) -> None:
        name, parameter = list(model.named_parameters())[-3]
        names.append(name)
        parameter.mul_(1.01)

    from qwen_ui.model.skeleton import auto_class  # noqa: PLC0415

    anatomy = open_model(str(base))
    model = auto_class(anatomy.configuration).from_pretrained(base)
    with torch.no_grad():
        move(model)
    model.save_pretrained(tmp_path / "tuned")
    found = verify(str(base), str(tmp_path / "tuned"))
    assert honest(found)
    assert [change.name for change in found.changed] == names
    assert found.changed[0].relative_change == pytest.approx(0.01, rel=1e-5)


ADAPTERS: dict[str, dict[str, Any]] = {
    "rank 2": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "with biases": {"bias": "lora_only"},
    "with a norm saved": {"modules_to_save": ["norm"]},
    "on the embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "by pattern": {"target_modules": r".*\.3\..*(k|down)_proj", "rank_pattern": {"k_proj": 1}},
}


@pytest.mark.filterwarnings("ignore")  # peft's own, on ties and on transformers
@pytest.mark.parametrize("how", ADAPTERS)
def test_adapters_are_what_peft_merges(base: Path, tmp_path: Path, how: str) -> None:
    """The folder of an adapter and the model that peft merges: the same tensors, as far moved."""
    adapter = save_adapter(base, tmp_path / "adapter", **ADAPTERS[how])
    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    merged.merge_and_unload().save_pretrained(tmp_path / "merged")
    found = verify(str(base), str(adapter))
    assert found.form == "adapter"
    assert honest(found)
    whole = verify(str(base), str(tmp_path / "merged"))
    assert not [p for p in whole.problems if p.severity == "error"]
    moved = {change.name: change for change in whole.changed}
    assert {change.name for change in found.changed} == moved.keys()
    for change in found.changed:
        assert change.relative_change == pytest.approx(moved[change.name].relative_change, rel=1e-6)
        if how in {"rank 2", "rslora"}:
            assert change.rank is not None
            assert 1 < change.rank <= 2


@pytest.mark.parametrize(
    "settings", [{}, {"lora_rank": 2, "learning_rate": 0.01}], ids=["plain", "lora"]
)
def test_our_own_runs(
    tiny: Path, sentences: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    plan = preset("attention", "last:2")
    folder = train(spec_for(tiny, sentences, steps=3, **settings))
    found = verify_run(folder.name)
    assert found.plan is not None
    assert found.plan.to_dict() == plan.to_dict()
    assert not [p for p in found.problems if p.severity == "error"]
    assert {change.block for change in found.changed} == {2, 3}
    apply_delta(folder / DELTA_NAME, str(tiny), tmp_path / "merged")
    merged = verify(str(tiny), str(tmp_path / "merged"))
    assert honest(merged)
    assert {c.name for c in merged.changed} == {c.name for c in found.changed}
    if not settings:
        assert verify(str(tiny), str(tmp_path / "merged"), plan).kept


def test_bfloat16_deltas_hold_float32(tmp_path: Path, sentences: Path) -> None:
    """What a delta holds is wider than the base's dtype, which is no finding."""
    base = save_model(tmp_path / "base", "qwen2", dtype=torch.bfloat16)
    folder = train(spec_for(base, sentences, "mlp", layers="last:1", steps=2, dtype="bfloat16"))
    found = verify_run(folder.name)
    assert honest(found)
    assert len(found.changed) == 3
    assert found.recast == ()


def test_another_dtype_is_told_and_is_no_change(base: Path, tmp_path: Path) -> None:
    narrow = saved_by_transformers(base, tmp_path / "narrow", lambda m: m.to(torch.bfloat16))
    found = verify(str(base), str(narrow), None)
    assert not found.changed
    assert len(found.recast) == len(found.anatomy.parameters)
    assert found.kept
    assert [p.severity for p in found.problems] == ["warning"]


def test_a_base_that_was_rounded_is_told_where_training_began_from_wider_weights(
    base: Path, tmp_path: Path
) -> None:
    """No false alarm that cannot be explained: the warning says which base to give."""
    narrow = saved_by_transformers(base, tmp_path / "narrow", lambda m: m.to(torch.bfloat16))
    found = verify(str(narrow), str(base))
    assert found.kept
    assert {change.rounds_back for change in found.changed if change.elements} == {True}
    assert any("give those as the base" in problem.message for problem in found.problems)


def test_a_base_whose_files_untie_its_head(base: Path, tmp_path: Path) -> None:
    """transformers takes both as they are stored, and so they are two tensors."""
    odd = change_weights(
        copied(base, tmp_path / "odd"), lambda w: w | {"lm_head.weight": w[EMBEDDING] + 1}
    )
    found = verify(str(odd), str(odd))
    assert honest(found)
    assert found.broken_ties == ()
    assert len(found.unchanged) == len(open_model(str(base)).parameters) + 1


def test_a_single_file_without_a_configuration(base: Path, tmp_path: Path) -> None:
    with safe_open(base / "model.safetensors", framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "some.safetensors")
    assert honest(verify(str(base), str(tmp_path / "some.safetensors")))


def test_the_plan_may_be_made_of_the_anatomy(base: Path, tmp_path: Path) -> None:
    tuned = saved_by_transformers(base, tmp_path / "tuned", trained(TOP, base))
    found = verify(str(base), str(tuned), lambda anatomy: preset("attention", "last:1"))
    assert honest(found)
    assert not verify(str(base), str(tuned), preset("mlp", "last:1")).kept
