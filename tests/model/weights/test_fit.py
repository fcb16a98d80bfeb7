"""Weights against the architecture, by their headers alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.sparse import write_sparse
from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.weights.fit import check_weights, weights_of
from qwen_ui.model.weights.headers import read_weights


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


def test_the_nano_twin_has_weights_that_fit_and_the_large_one_says_where_to_get_some(
    qwen: Anatomy,
) -> None:
    nano = open_model("nano")
    assert check_weights(nano, weights_of(nano)).fits
    with pytest.raises(ModelError, match="are not on this machine"):
        weights_of(qwen)
