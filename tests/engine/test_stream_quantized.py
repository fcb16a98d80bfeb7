"""Frozen blocks that are quantized in the files: read one by one, to the bit what they are held."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from qwen_ui.engine import apply_delta
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.model.weights import check_weights, read_weights, weights_of
from tests.helpers.plain_loop import loss_of
from tests.helpers.quantized_models import in_shards, plainly, save_quantized
from tests.helpers.streamed import last, train


@pytest.mark.parametrize("form", ["fp8", "mxfp4", "nf4", "int8"])
def test_bits_are_equal_and_what_was_trained_is_merged_plain(
    form: str, sentences: Path, tmp_path: Path
) -> None:
    base = save_quantized(tmp_path / "base", form)
    held, streamed = (
        train(base, sentences, last(1), tmp_path / way, prefix=way) for way in ("keep", "stream")
    )
    assert streamed.prepared.loop.trainee.prefix_blocks == 3
    assert streamed.figures == held.figures
    assert streamed.after != streamed.before
    delta = tmp_path / "stream.run" / "delta.safetensors"
    apply_delta(delta, str(base), tmp_path / "whole")
    trained = load_file(delta)
    before, after = (plainly(folder, form).state_dict() for folder in (base, tmp_path / "whole"))
    assert after.keys() == before.keys() > trained.keys()
    for name, tensor in after.items():
        assert torch.equal(tensor, trained.get(name, before[name])), name
    stored, written = (read_weights(folder).tensors for folder in (base, tmp_path / "whole"))
    below = {name for name in stored if "layers.3." not in name}
    assert {n: stored[n].dtype for n in below} == {n: written[n].dtype for n in below}
    anatomy = open_model(str(tmp_path / "whole"))
    assert check_weights(anatomy, weights_of(anatomy)).fits


def test_adapters_are_merged_into_sharded_files_and_experts_stay_packed(
    sentences: Path, tmp_path: Path
) -> None:
    base = in_shards(save_quantized(tmp_path / "base", "fp8 experts"))
    plan = preset("attention", "last:1")
    done = train(base, sentences, plan, tmp_path / "a", prefix="stream", lora_rank=2)
    apply_delta(tmp_path / "a.run" / "delta.safetensors", str(base), tmp_path / "whole")
    weights = read_weights(tmp_path / "whole")
    assert len(weights.files) == 2
    ends = {name.rpartition(".")[2] for name in weights.tensors if "layers.3.self_attn" in name}
    assert ends == {"weight"}
    experts = [t for name, t in weights.tensors.items() if "layers.3.mlp.experts" in name]
    assert {tensor.dtype for tensor in experts} == {"float8_e4m3fn", "float32"}
    model = plainly(tmp_path / "whole", "fp8 experts")
    assert loss_of(model, done.prepared.data.evaluation) == pytest.approx(done.after, rel=1e-6)
