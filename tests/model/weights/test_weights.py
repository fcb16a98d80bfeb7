"""Safetensors by their headers, checked before they are believed; statistics without loading."""

from __future__ import annotations

import contextlib
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from benchmarks.sparse import write_sharded, write_sparse
from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.weights.fit import check_weights, weights_of
from qwen_ui.model.weights.headers import MAX_HEADER, read_header, read_weights
from qwen_ui.model.weights.statistics import spectrum, tensor_statistics


@pytest.fixture
def sharded(tmp_path: Path, qwen: Anatomy) -> Path:
    """A sparse checkpoint of the 1.5B's names and shapes in two files."""
    return write_sharded(tmp_path, {p.name: p.shape for p in qwen.parameters})


def test_a_sharded_checkpoint_of_3_gb_is_known_from_less_than_a_megabyte(
    sharded: Path, qwen: Anatomy
) -> None:
    read_weights(sharded)
    before = bytes_asked_for()
    weights = read_weights(sharded)
    assert bytes_asked_for() - before < 1_000_000
    assert sum(file.stat().st_size for file in weights.files) > 3_087_000_000
    assert weights.bytes_read < 1_000_000
    assert len(weights.tensors) == 338
    found = check_weights(qwen, weights)
    assert found.fits
    assert found.sentence.startswith("Every name and shape")


def bytes_asked_for() -> int:
    """Bytes that this process has read so far, as Linux counts them; 0 elsewhere."""
    counts = Path("/proc/self/io")
    return int(counts.read_text().split()[1]) if counts.is_file() else 0


def test_weights_that_do_not_fit_are_told_by_name(tmp_path: Path, qwen: Anatomy) -> None:
    shapes = {p.name: p.shape for p in qwen.parameters}
    del shapes["model.norm.weight"]
    shapes["model.layers.3.mlp.up_proj.weight"] = (10, 10)
    shapes["model.stranger"] = (3,)
    write_sparse(tmp_path / "model.safetensors", shapes)
    found = check_weights(qwen, read_weights(tmp_path))
    assert found.missing == ("model.norm.weight",)
    assert found.unexpected == ("model.stranger",)
    assert found.mismatched[0].startswith("model.layers.3.mlp.up_proj.weight: [10, 10] in the file")
    assert "1 missing (`model.norm.weight`)" in found.sentence


def test_a_tied_tensor_may_be_stored_under_either_name(tmp_path: Path, qwen: Anatomy) -> None:
    shapes = {p.names[-1]: p.shape for p in qwen.parameters}
    assert "lm_head.weight" in shapes
    write_sparse(tmp_path / "model.safetensors", shapes)
    assert check_weights(qwen, read_weights(tmp_path)).fits


def raw_file(folder: Path, header: object, data: int = 0, length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    file = folder / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(data))
    return file


def entry(shape: list[Any], begin: Any, end: Any, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda d: raw_file(d, b"", length=50), "cut off"),
        (lambda d: raw_file(d, {"a": entry([2], 0, 8)}, data=4), "is cut off"),
        (lambda d: raw_file(d, {"a": entry([2], 0, 8)}, data=9), "longer than its header"),
        (lambda d: raw_file(d, {"a": entry([3], 0, 8)}, data=8), "needs 12"),
        (lambda d: raw_file(d, {"a": entry([-2], 0, 8)}, data=8), "no count"),
        (lambda d: raw_file(d, {"a": entry([True], 0, 4)}, data=4), "no count"),
        (lambda d: raw_file(d, {"a": entry([2], 0, 8, "F3")}, data=8), "wrongly"),
        (lambda d: raw_file(d, {"a": {}}), "wrongly"),
        (lambda d: raw_file(d, {"a": None}), "wrongly"),
        (lambda d: raw_file(d, {"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, data=4), "overlaps"),
        (lambda d: raw_file(d, {"a": entry([1], 4, 8)}, data=8), "hole"),
        (lambda d: raw_file(d, b"{nonsense", data=8), "no JSON"),
        (lambda d: raw_file(d, b"[]"), "no table"),
        (lambda d: raw_file(d, b"[" * 100_000), "no JSON"),
    ],
)
def test_a_wrong_header_is_one_clear_sentence(
    tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read_header(make(tmp_path))
    assert says in str(caught.value)
    assert "model.safetensors" in str(caught.value)


def test_an_oversized_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", MAX_HEADER + 1))
        stream.truncate(MAX_HEADER + 100)
    with pytest.raises(ModelError, match="100 MB is the limit"):
        read_header(file)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(tmp_path_factory: Any, raw: bytes) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "x.safetensors"
    file.write_bytes(raw)
    with contextlib.suppress(ModelError):
        read_header(file)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda index: index.update(weight_map=3), "cannot be read"),
        (
            lambda index: index["weight_map"].update(ghost="model-00001-of-00002.safetensors"),
            "ghost",
        ),
        (lambda index: index["weight_map"].update(x="../secret.safetensors"), "no file beside it"),
        (lambda index: index["weight_map"].update(x="model-00003.safetensors"), "is missing"),
        (lambda index: index["weight_map"].pop("model.norm.weight"), "not in the index"),
    ],
)
def test_a_wrong_index_is_one_clear_sentence(
    sharded: Path, spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    index = json.loads(sharded.read_text())
    spoil(index)
    sharded.write_text(json.dumps(index))
    with pytest.raises(ModelError, match=says):
        read_weights(sharded)


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
    save_file({"eye": torch.eye(5), "ones": ones, "v": ones[0].clone()}, tmp_path / "m.safetensors")
    tensors = read_weights(tmp_path).tensors
    assert spectrum(tensors["eye"]).effective_rank == pytest.approx(5)
    assert spectrum(tensors["ones"]).effective_rank == pytest.approx(1, abs=1e-4)
    assert spectrum(tensors["ones"]).top[0] == pytest.approx(math.sqrt(24))
    with pytest.raises(ModelError, match="no matrix"):
        spectrum(tensors["v"])


def test_the_nano_twin_has_weights_that_fit_and_the_large_one_says_where_to_get_some(
    qwen: Anatomy,
) -> None:
    nano = open_model("nano")
    assert check_weights(nano, weights_of(nano)).fits
    with pytest.raises(ModelError, match="No weights of"):
        weights_of(qwen)
