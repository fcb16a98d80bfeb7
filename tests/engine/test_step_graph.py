"""Replayed passes, recorded by a stand-in that does the work again on the recorded inputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qwen_ui.data import Batch, Examples
from qwen_ui.engine import replay
from qwen_ui.engine.chunked_loss import head_loss
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.prefix_cache import PrefixCache
from qwen_ui.engine.prefix_resident import ResidentPrefix
from qwen_ui.engine.replay import Evidence, Recording, Replays
from qwen_ui.engine.step_graph import StepGraphs
from qwen_ui.freeze import preset
from tests.helpers.engine import Engine, make_engine

PLANS = {
    "attention": preset("attention", "last:2"),
    "bitfit": preset("bitfit", "last:2"),
    "full": preset("full"),
}
STEPS = 9


class _Again:
    """A recording that does the work again, as a replayed graph does."""

    def __init__(self, work: Callable[[], torch.Tensor], recordings: list[_Again]) -> None:
        self._work, self.replays = work, 0
        self.output = work().clone()
        recordings.append(self)

    def replay(self) -> None:
        self.replays += 1
        self.output.copy_(self._work())


def record_again(recordings: list[_Again]) -> Callable[[Callable[[], torch.Tensor]], Recording]:
    return lambda work: _Again(work, recordings)


@pytest.fixture(autouse=True)
def _each_replay_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in is no faster than the work: time runs backwards for it."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(replay, "_now", lambda inputs: float(-(next(ticks) ** 2)))


@pytest.fixture(autouse=True)
def _the_head_is_computed_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "qwen_ui.engine.forward.head_loss", lambda *given: head_loss(*given, on_gpu=True)
    )


def with_graphs(engine: Engine, recordings: list[_Again], multiple: int = 8) -> Loop:
    """The engine's loop as on a GPU: graphs, resident outputs, lengths rounded up."""
    loop = engine.loop
    loop.graphs = StepGraphs(engine.trainee, loop.optimizer.parameters, record_again(recordings))
    loop._multiple = multiple
    for source in loop.prefix_sources:
        source._run = loop.graphs.run_prefix
        if source.cache is not None:
            width = engine.model.config.hidden_size
            source.cache = ResidentPrefix(
                engine.examples, width, engine.model.dtype, torch.device("cpu")
            )
    return loop


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("plan", ["attention", "bitfit", "full"])
def test_replayed_steps_are_the_steps(
    tiny: Path,
    sentences: Path,
    plan: str,
    accumulation: int,
) -> None:
    made = [
        make_engine(tiny, sentences, PLANS[plan], gradient_accumulation_steps=accumulation)
        for _ in range(2)
    ]
    recordings: list[_Again] = []
    graphed = with_graphs(made[1], recordings)
    plain = [made[0].loop.step(step) for step in range(1, STEPS + 1)]
    replayed = [graphed.step(step) for step in range(1, STEPS + 1)]
    for one, other in zip(replayed, plain, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-6)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-5)
    assert sum(recording.replays for recording in recordings) >= STEPS // 3
    assert any("replayed as a CUDA graph" in note for note in graphed.take_notes())
    assert graphed.take_notes() == []


def test_chats_of_many_lengths_are_few_shapes(tiny: Path, sentences: Path) -> None:
    engine = make_engine(tiny, sentences, PLANS["attention"])
    lengths = {len(item.tokens) for item in engine.examples.items}
    assert len(lengths) > 3
    recordings: list[_Again] = []
    loop = with_graphs(engine, recordings, multiple=48)
    for step in range(1, 8):
        loop.step(step)
    # One of the micro-batch's passes, one of the frozen blocks'.
    assert 1 <= len(recordings) <= 2


def doubled(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    return inputs["tokens"] * 2.0


def evidence(output: torch.Tensor) -> Evidence:
    return [(output.clone(), 1e-3)]


def test_what_cannot_be_recorded_goes_on_as_before_and_says_so() -> None:
    def refused(work: Callable[[], torch.Tensor]) -> Recording:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    replays = Replays(doubled, evidence, "Steps", refused)
    given = {"tokens": torch.arange(3.0)}
    for _ in range(5):
        torch.testing.assert_close(replays(given), torch.tensor([0.0, 2.0, 4.0]))
    assert not replays.possible
    assert replays.notes == [
        "Steps are not replayed as CUDA graphs: they cannot be recorded (operation not permitted "
        "when stream is capturing)."
    ]


def test_a_replay_that_gives_something_else_is_not_used() -> None:
    calls = iter(range(100))

    def unsteady(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return inputs["tokens"] + next(calls)

    replays = Replays(unsteady, evidence, "Steps", record_again([]))
    for _ in range(4):
        replays({"tokens": torch.arange(3.0)})
    assert not replays.possible
    assert "a replay differs by" in replays.notes[0]


def test_a_replay_that_is_no_faster_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(replay, "_now", lambda inputs: float(next(ticks) ** 2))
    replays = Replays(doubled, evidence, "Steps", record_again([]))
    for _ in range(4):
        replays({"tokens": torch.arange(3.0)})
    assert not replays.possible
    assert "no faster" in replays.notes[0]


def test_nothing_is_recorded_that_few_calls_would_repay() -> None:
    recordings: list[_Again] = []
    replays = Replays(doubled, evidence, "Steps", record_again(recordings), calls=replay.REPAID + 2)
    for _ in range(replay.REPAID + 2):
        replays({"tokens": torch.arange(3.0)})
    assert not recordings


def test_the_other_way_is_taken_where_it_is_faster_than_a_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(replay, "_now", lambda inputs: now[0])

    def slow(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        now[0] += 10
        return doubled(inputs)

    def other(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        now[0] += 5
        return doubled(inputs)

    def wrong(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return doubled(inputs) + 1

    class Half(_Again):
        def replay(self) -> None:
            super().replay()
            now[0] -= 2

    given = {"tokens": torch.arange(3.0)}
    for way, taken in ((other, True), (wrong, False)):
        replays = Replays(
            slow, evidence, "Steps", lambda work: Half(work, []), other=("by another", way)
        )
        for _ in range(4):
            torch.testing.assert_close(replays(given), doubled(given))
        assert ("by another" in replays.notes[0]) == taken
        assert replays.recorded == (not taken)


def test_the_other_way_is_not_compiled_for_a_short_run() -> None:
    def other(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        raise AssertionError

    replays = Replays(
        doubled,
        evidence,
        "Steps",
        record_again([]),
        calls=replay.OTHER_REPAID,
        other=("by another", other),
    )
    for _ in range(4):
        replays({"tokens": torch.arange(3.0)})
    assert replays.recorded == 1


def test_an_input_of_another_call_is_read_anew() -> None:
    replays = Replays(doubled, evidence, "Steps", record_again([]))
    for number in range(6):
        given = torch.full((3,), float(number))
        torch.testing.assert_close(replays({"tokens": given}), given * 2)
    assert replays.recorded == 1


def test_only_so_many_shapes_are_recorded() -> None:
    replays = Replays(doubled, evidence, "Steps", record_again([]))
    for size in range(1, replay.MOST_SHAPES + 4):
        for _ in range(4):
            replays({"tokens": torch.ones(size)})
    assert replays.recorded == replay.MOST_SHAPES


def test_outputs_read_ahead_by_a_second_thread_are_the_same(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(tiny, sentences, PLANS["attention"])
    source, batches = engine.loop.prefix_sources[0], [engine.loop._batches(s)[0] for s in (1, 2)]
    for batch in batches:
        source.fetch(batch)  # run, and cached
    cached = [source.fetch(batch) for batch in batches]
    assert isinstance(source.cache, PrefixCache)
    read = PrefixCache.get
    threads = list[str]()

    def slowly(cache: PrefixCache, batch: Batch) -> torch.Tensor:
        time.sleep(0.05)
        threads.append(threading.current_thread().name)
        return read(cache, batch)

    monkeypatch.setattr(PrefixCache, "get", slowly)
    source.prepare(batches[1])
    first = source.fetch(batches[0])  # out of turn: what was begun is left
    source.prepare(batches[1])
    second = source.fetch(batches[1])
    assert [thread.startswith("prefix") for thread in threads].count(True) == 2
    for found, expected in zip((first, second), cached, strict=True):
        assert found is not None
        assert expected is not None
        assert torch.equal(found, expected)


def test_resident_outputs_are_those_that_were_put(tiny: Path, sentences: Path) -> None:
    engine = make_engine(tiny, sentences, PLANS["attention"])
    examples: Examples = engine.examples
    held = ResidentPrefix(examples, 6, torch.float32, torch.device("cpu"))
    batches = [engine.loop._batches(step)[0] for step in (1, 2, 1)]
    outputs = [torch.randn(*batch.tokens_BT.shape, 6) for batch in batches[:2]]
    for batch, output in zip(batches, outputs, strict=False):
        assert not held.holds(batch.indexes[0])
        held.put(batch, output)
        assert held.holds(batch.indexes[0])
    for batch, output in zip(batches[:2], outputs, strict=True):
        assert batch.mask_BT is None
        real = torch.zeros(batch.tokens_BT.shape, dtype=torch.bool)
        for row, index in enumerate(batch.indexes):
            real[row, : len(examples.items[index].tokens)] = True
        found = held.get(batch)
        assert torch.equal(found[real], output[real])
        assert not found[~real].any()
