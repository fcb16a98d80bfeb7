"""A pass over the frozen blocks that was broken off goes on, and comes to the same bits."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qwen_ui.engine import set_up
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.runs import PhaseName, make_spec
from tests.helpers.checkpoint_families import save_family
from tests.helpers.streamed import last

KILLS = 20


class _BrokenOff(Exception):
    """Ends a pass where it is."""


def prepare(
    model: Path,
    data: Path,
    home: Path,
    *,
    end_at: int | None = None,
    began: Callable[[], object] = lambda: None,
) -> None:
    """Everything before the first step of a streamed run.

    Args:
        home: where outputs are kept.
        end_at: passes of a batch through a block after which it is broken off.
        began: called with every one of them.
    """

    def tell(phase: PhaseName, done: int = 0, total: int = 0) -> None:
        if phase == "prefix":
            began()
            if end_at is not None and done >= end_at:
                raise _BrokenOff

    spec = make_spec(
        model=str(model), plan=last(1).to_dict(), data=str(data), sequence_length=32, batch_size=4,
        sample_tokens=0, dtype="float32", device="cpu", prefix="stream", steps=3,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QWEN_UI_HOME", str(home))
        set_up(spec, home, tell)


def kept(home: Path) -> dict[str, bytes]:
    """What lies in the folder of kept outputs, by name."""
    return {file.name: file.read_bytes() for file in (home / "prefixes").iterdir()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family(tmp_path_factory.mktemp("family") / "llama", "llama")


@pytest.fixture(scope="module")
def whole(
    base: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What a pass leaves that nothing breaks off."""
    home = tmp_path_factory.mktemp("whole")
    prepare(base, sentences, home)
    return kept(home)


@pytest.mark.parametrize("end_at", [1, 9, 14])
def test_it_goes_on_where_it_was(
    base: Path, sentences: Path, tmp_path: Path, whole: dict[str, bytes], end_at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(_BrokenOff):
        prepare(base, sentences, tmp_path, end_at=end_at)
    on_the_way = kept(tmp_path)
    assert on_the_way.keys() - whole.keys()
    runs: list[int] = []
    honest = StreamedCut.run_block

    def counted(self: StreamedCut, index: int, inputs: object, hidden: object) -> torch.Tensor:
        runs.append(index)
        return honest(self, index, inputs, hidden)  # type: ignore[arg-type]

    monkeypatch.setattr(StreamedCut, "run_block", counted)
    prepare(base, sentences, tmp_path)
    again = len(runs)
    assert kept(tmp_path) == whole
    runs.clear()
    prepare(base, sentences, tmp_path)
    proofs = len(runs)
    runs.clear()
    prepare(base, sentences, tmp_path / "new")
    assert again - proofs == len(runs) - proofs - end_at


def test_a_row_that_was_torn_on_the_way_begins_anew(
    base: Path, sentences: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    with pytest.raises(_BrokenOff):
        prepare(base, sentences, tmp_path, end_at=14)
    for file in (tmp_path / "prefixes").glob("*.kept"):
        if file.name not in whole:
            with file.open("r+b") as stream:
                stream.write(b"\xff" * 64)
    prepare(base, sentences, tmp_path)
    assert kept(tmp_path) == whole


def prepare_in_a_child(model: Path, data: Path, home: Path) -> tuple[int, int]:
    """A process that prepares a run: its id, and a file that says a byte when its pass begins."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        prepare(model, data, home, began=lambda: os.write(writing, b"."))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # nothing of the test's own process runs in its copy


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_at_random_moments_it_comes_to_the_same_bits(
    sentences: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)  # so that a process can be forked
    base = save_family(tmp_path / "llama", "llama", num_hidden_layers=10)
    times: list[float] = []
    prepare(base, sentences, tmp_path / "whole", began=lambda: times.append(time.monotonic()))
    expected, generator = kept(tmp_path / "whole"), random.Random(0)
    seconds, during = times[-1] - times[0], 0
    for number in range(KILLS):
        home = tmp_path / str(number)
        child, reading = prepare_in_a_child(base, sentences, home)
        assert os.read(reading, 1) == b"."
        time.sleep(generator.uniform(0.0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        during += bool(kept(home).keys() - expected.keys())
        prepare(base, sentences, home)
        assert kept(home) == expected
    print(f"{during} of {KILLS} kills came between the first block and the last")
    assert during >= KILLS // 2
