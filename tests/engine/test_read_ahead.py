"""The next frozen block is read while this one runs, and one block more is held for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from qwen_ui.engine.stream.read_ahead import ReadAhead
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.model import open_model
from qwen_ui.model.weights import PiecewiseModel, read_weights
from tests.helpers.checkpoint_families import save_family

CPU = torch.device("cpu")
INPUTS = {"input_ids": torch.arange(12).view(2, 6), "attention_mask": None, "use_cache": False}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_family(tmp_path / "llama", "llama")


def opened(folder: Path) -> PiecewiseModel:
    return PiecewiseModel(folder, open_model(str(folder)), torch.float32, CPU)


def test_a_thread_that_reads_changes_no_bit(base: Path) -> None:
    anatomy = open_model(str(base))
    cuts = [StreamedCut(opened(base), anatomy, 3, threaded=one) for one in (False, True)]
    without, ahead = (cut.run_prefix(INPUTS) for cut in cuts)
    assert torch.equal(without, ahead)


def test_one_block_more_is_read_and_let_go_where_another_is_asked_for(base: Path) -> None:
    pieces = opened(base)
    names = [pieces.inside(f"model.layers.{index}") for index in range(4)]
    reader = ReadAhead(pieces, names, threaded=True)
    for index, ahead in ((0, 1), (1, 2), (3, None), (0, 1)):
        with reader.here(index):
            assert reader.ahead == ahead
            here = [number for number in range(4) if pieces.is_here(names[number][0])]
            assert here == [index]
    reader.stop()
    assert reader.ahead is None


def test_on_a_cpu_the_system_reads_ahead_and_nothing_more_is_held(base: Path) -> None:
    pieces = opened(base)
    reader = ReadAhead(pieces, [pieces.inside(f"model.layers.{i}") for i in (0, 1)], threaded=False)
    with reader.here(0):
        assert reader.ahead is None


def test_what_cannot_be_read_ahead_is_told_where_it_is_asked_for(base: Path) -> None:
    pieces = opened(base)
    names = [pieces.inside("lm_head"), pieces.inside("model.layers.3")]
    reader = ReadAhead(pieces, names, threaded=True)
    stored = [t for t in read_weights(base).tensors.values() if t.name in names[1]]
    last = max(stored, key=lambda tensor: tensor.start)
    os.truncate(last.file, last.start + 1)
    with reader.here(0):
        assert reader.ahead == 1
    with pytest.raises(OSError, match="cut off"), reader.here(1):
        pass
