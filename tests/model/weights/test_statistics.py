"""Statistics of stored tensors, streamed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from qwen_ui.errors import ModelError
from qwen_ui.model.weights.headers import read_weights
from qwen_ui.model.weights.statistics import spectrum, tensor_statistics


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_streamed_statistics_are_those_of_the_whole_tensor(
    tmp_path: Path, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_ui.model.weights.statistics.CHUNK", 64)  # many chunks
    values = torch.randn(37, 11, generator=torch.Generator().manual_seed(0)).to(dtype)
    values[3, 4] = 0
    save_file({"w": values}, tmp_path / "model.safetensors")
    found = tensor_statistics(read_weights(tmp_path).tensors["w"])
    whole = values.double()
    assert found.mean == pytest.approx(float(whole.mean()))
    assert found.standard_deviation == pytest.approx(float(whole.std(unbiased=False)))
    assert (found.minimum, found.maximum) == (float(whole.min()), float(whole.max()))
    assert found.zeros == pytest.approx(float((whole == 0).double().mean()))
    assert found.not_finite == 0


def test_nan_and_infinite_values_are_counted_and_left_out(tmp_path: Path) -> None:
    values = torch.tensor([1.0, math.nan, 3.0, math.inf])
    save_file({"w": values, "bad": torch.full((3,), math.nan)}, tmp_path / "model.safetensors")
    tensors = read_weights(tmp_path).tensors
    assert tensor_statistics(tensors["w"]).not_finite == 2
    assert tensor_statistics(tensors["w"]).mean == 2.0
    assert tensor_statistics(tensors["bad"]).not_finite == 3


def test_effective_rank_of_known_matrices(tmp_path: Path) -> None:
    ones = torch.ones(6, 4)
    save_file(
        {"eye": torch.eye(5), "ones": ones, "v": ones[0].clone()}, tmp_path / "model.safetensors"
    )
    tensors = read_weights(tmp_path).tensors
    assert spectrum(tensors["eye"]).effective_rank == pytest.approx(5)
    assert spectrum(tensors["ones"]).effective_rank == pytest.approx(1, abs=1e-4)
    assert spectrum(tensors["ones"]).top[0] == pytest.approx(math.sqrt(24))
    with pytest.raises(ModelError, match="not a matrix"):
        spectrum(tensors["v"])
