"""Quantized checkpoints on either side: packed bits where both have them, else plain numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from qwen_ui.engine import apply_delta
from qwen_ui.errors import ModelError
from qwen_ui.freeze import preset
from qwen_ui.model.weights import read_weights
from qwen_ui.runs import DELTA_NAME
from qwen_ui.verify import Verification, verification_markdown, verification_record, verify
from qwen_ui.verify.groups import Converter
from tests.helpers.checkpoint_families import change_config, change_weights, save_family
from tests.helpers.quantized_models import FORMS, in_shards, plainly, save_quantized
from tests.helpers.runs import spec_for, train
from tests.verify.conftest import copied, save_adapter

TOP = preset("attention", "last:1")
# How many tensors are quantized: experts lie in stacks, which bitsandbytes leaves plain.
PACKED = {"mxfp4": 8, "fp8 experts": 24, "nf4 experts": 16}
Q3 = "model.layers.3.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A checkpoint of a form, made once."""
    made: dict[str, Path] = {}

    def make(form: str) -> Path:
        if form not in made:
            made[form] = save_quantized(tmp_path_factory.mktemp("quantized") / "base", form)
        return made[form]

    return make


def saved_plain(folder: Path, form: str, target: Path, dtype: torch.dtype) -> Path:
    """What transformers makes plain of a quantized checkpoint, saved by it."""
    model = plainly(folder, form).to(dtype)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(target)
    return target


def warnings_of(found: Verification) -> str:
    assert not [p for p in found.problems if p.severity == "error"], found.problems
    return "\n".join(problem.message for problem in found.problems)


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_is_unchanged_without_unpacking(
    form: str, quantized: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = quantized(form)

    def unpack(*_: object) -> torch.Tensor:
        raise AssertionError("what is equal packed is not unpacked")

    monkeypatch.setattr(Converter, "_read", unpack)
    found = verify(str(base), str(in_shards(copied(base, tmp_path / "copy"))))
    assert found.problems == ()
    assert len(found.unchanged) == len(found.anatomy.parameters)


@pytest.mark.parametrize(
    ("form", "dtype"),
    [*((form, torch.float32) for form in FORMS), ("fp8", torch.bfloat16), ("nf4", torch.bfloat16)],
)
def test_plain_numbers_are_equal_after_dequantizing(
    form: str, dtype: torch.dtype, quantized: Any, tmp_path: Path
) -> None:
    base, stored = quantized(form), str(dtype).removeprefix("torch.")
    label = form.split()[0]
    plain = saved_plain(base, form, tmp_path / "plain", dtype)
    for sides in ((base, plain), (plain, base))[: 1 if dtype == torch.float32 else 2]:
        found = verify(str(sides[0]), str(sides[1]), TOP)
        packed = [change for change in found.recast if change.dequantized]
        assert not [change for change in found.changed if change.dequantized]
        expected = (label, stored) if sides[0] == base else (stored, label)
        assert {change.dtypes for change in packed} == {expected}
        assert len(packed) == PACKED.get(form, 28)
        said = "\n".join(problem.message for problem in found.problems)
        assert f"({expected[0]} → {expected[1]}) and equal after dequantizing" in said
    assert "Stored otherwise, equal after dequantizing" in verification_markdown(found)
    assert verification_record(found)["recast"][0]["dequantized"]


@pytest.mark.parametrize(("form", "part"), [("nf4", ""), ("fp8", "_scale_inv"), ("int8", "")])
def test_one_bit_of_what_is_packed(form: str, part: str, quantized: Any, tmp_path: Path) -> None:
    base = quantized(form)
    folder = copied(base, tmp_path / "bit")
    name = "model.layers.0.self_attn.k_proj.weight"
    stored = read_weights(folder).tensors[f"{name}{part}"]
    with stored.file.open("r+b") as file:
        file.seek(stored.start)
        byte = file.read(1)[0]
        file.seek(stored.start)
        file.write(bytes([byte ^ 1]))
    found = verify(str(base), str(folder), TOP)
    assert found.frozen_but_changed == (name,)
    (change,) = found.changed
    assert change.dtypes == (form, form)
    assert change.elements == (256 if part else 1)  # a square of 16 x 16, or a number
    assert not [p for p in found.problems if "quantized here" in p.message]


@pytest.mark.parametrize(("form", "rank"), [("fp8", 0), ("nf4", 2), ("int8", 2)])
def test_our_runs_on_a_quantized_base(
    form: str, rank: int, quantized: Any, sentences: Path, tmp_path: Path
) -> None:
    """Their delta, and what it is merged to: trained modules plain, all others as they were."""
    base = quantized(form)
    settings = {"lora_rank": rank, "learning_rate": 0.01} if rank else {}
    folder = train(spec_for(base, sentences, "attention", layers="last:1", steps=2, **settings))
    found = verify(str(base), str(folder))
    assert found.kept, found.problems
    assert found.plan is not None
    assert {change.block for change in found.changed} == {3}
    apply_delta(folder / DELTA_NAME, str(base), tmp_path / "merged")
    merged = verify(str(base), str(tmp_path / "merged"), TOP)
    assert merged.kept, merged.problems
    moved = {change.name: change for change in merged.changed}
    assert moved.keys() == {change.name for change in found.changed}
    for change in found.changed:
        assert moved[change.name].relative_change == pytest.approx(change.relative_change, rel=0.02)
    assert not merged.recast


@pytest.mark.parametrize("form", ["nf4", "int8"])
def test_adapters_of_peft_on_a_quantized_base(form: str, quantized: Any, tmp_path: Path) -> None:
    """As on the same base made plain, where peft merges by itself."""
    base = quantized(form)
    adapter = save_adapter(base, tmp_path / "adapter", target_modules=["q_proj", "down_proj"])
    found = verify(str(base), str(adapter))
    assert found.kept, found.problems
    plain = saved_plain(base, form, tmp_path / "plain", torch.float32)
    expected = verify(str(plain), str(adapter))
    assert [change.name for change in found.changed] == [c.name for c in expected.changed]
    assert len(found.changed) == 8
    for one, other in zip(found.changed, expected.changed, strict=True):
        assert one.relative_change == other.relative_change
        assert one.dtypes[0] == form
    inert = save_adapter(base, tmp_path / "inert", inert=True)
    assert len(verify(str(base), str(inert)).inert) == 4


def test_a_quantized_copy_of_a_plain_base_is_changed_and_told_why(
    quantized: Any, tmp_path: Path
) -> None:
    base = quantized("nf4")
    plain = base.with_name("base-plain")  # what it was quantized from
    found = verify(str(plain), str(base), TOP)
    assert Q3 in {change.name for change in found.changed}
    assert all(0.01 < (change.relative_change or 0) < 0.2 for change in found.changed)
    assert found.frozen_but_changed
    assert "(float32 → nf4): their change holds what quantizing rounds off" in "\n".join(
        problem.message for problem in found.problems
    )


def test_two_forms_are_compared_by_their_numbers(quantized: Any) -> None:
    found = verify(str(quantized("nf4")), str(quantized("int8")))
    assert {change.dtypes for change in found.changed} == {("nf4", "int8")}
    assert "nf4 became int8; compared after dequantizing" in verification_markdown(found)


def test_a_trained_tensor_that_is_plain_beside_packed_ones(quantized: Any, tmp_path: Path) -> None:
    """One moved tensor is changed by what it moved, and by nothing else."""
    base = quantized("fp8")
    moved = plainly(base, "fp8").state_dict()[Q3] * 1.01
    folder = change_weights(
        copied(base, tmp_path / "tuned"),
        lambda w: {n: t for n, t in w.items() if not n.startswith(Q3)} | {Q3: moved},
    )
    found = verify(str(base), str(folder), TOP)
    (change,) = found.changed
    assert change.name == Q3
    assert change.relative_change == pytest.approx(0.01, rel=1e-5)
    assert not found.frozen_but_changed


def test_what_cannot_be_read_is_refused_by_its_name(quantized: Any, tmp_path: Path) -> None:
    base = save_family(tmp_path / "base", "llama")
    for method in ("gptq", "awq", "compressed-tensors"):
        folder = change_config(
            copied(base, tmp_path / method), quantization_config={"quant_method": method}
        )
        for sides in ((folder, base), (base, folder)):
            with pytest.raises(ModelError, match=rf"quantized \({method}\).*bfloat16 or float32"):
                verify(str(sides[0]), str(sides[1]))


def test_a_packed_file_without_its_configuration(quantized: Any, tmp_path: Path) -> None:
    packed = quantized("nf4")
    file = tmp_path / "some.safetensors"
    save_file(load_file(packed / "model.safetensors"), file)
    plain = save_family(tmp_path / "base", "llama")
    with pytest.raises(ModelError, match=r"\(bitsandbytes\), and no config.json beside them"):
        verify(str(plain), str(file))
    assert warnings_of(verify(str(packed), str(file))) == ""
