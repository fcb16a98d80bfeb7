"""The playground's process: what it writes, and every way in which it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import ModelError, RunError
from qwen_ui.runs import Launched, is_alive, run_folder
from qwen_ui.runs.process import stamp
from qwen_ui.workers import Answer, AskedSide, Playground, kill, start, worker_pid
from qwen_ui.workers import playground_place as place
from qwen_ui.workers.playground import ENDED, KILLED_FOR_MEMORY, _why
from qwen_ui.workers.playground_worker import INTERNAL, OUT_OF_MEMORY, _refuse_too_large, _said
from tests.helpers.runs import spec_for, train
from tests.helpers.tiny_models import save_model
from tests.helpers.waiting import until

DRAWN = {"chat": False, "tokens": 12, "temperature": 0.3, "seed": 1}
LONG = {"chat": False, "tokens": 100, "temperature": 1.0}
ASKS = """
import sys, time
from qwen_ui.workers import AskedSide, Playground
playground = Playground()
playground.ask(sys.argv[1], [AskedSide("", 1.0, ({"role": "user", "content": "the cat"},))], {})
time.sleep(600)
"""


@pytest.fixture
def playground() -> Iterator[Playground]:
    made = Playground()
    yield made
    made.end()


def side(run: str = "", strength: float = 1.0, text: str = "the cat sat") -> AskedSide:
    return AskedSide(run, strength, ({"role": "user", "content": text},))


def answered(playground: Playground, number: int) -> Answer:
    def over() -> Answer | None:
        found = playground.answer(number)
        return found if found.state in ("done", "failed") else None

    return until(over, 90, lambda: str(playground.answer(number)))


def asked(
    playground: Playground, model: Path, *sides: AskedSide, sampling: dict[str, Any] = DRAWN
) -> Answer:
    return answered(playground, playground.ask(str(model), sides, sampling))


def pid() -> int:
    launched = place.living()
    assert launched is not None
    assert launched.pid is not None
    return launched.pid


def test_base_and_runs_write_in_one_process(
    playground: Playground, tiny: Path, sentences: Path, tmp_path: Path
) -> None:
    run = train(spec_for(tiny, sentences, "full", steps=3, learning_rate=0.1)).name
    lora = train(spec_for(tiny, sentences, lora_rank=2, steps=3, learning_rate=0.3)).name
    first = asked(playground, tiny, side(), side(run))
    assert first.state == "done", first.said
    texts = [written["text"] for written in first.sides]
    assert texts[0] != texts[1]
    assert all(written["ended"] for written in first.sides)
    process = pid()
    again = asked(playground, tiny, side(run, 0.0), side(run, 1.0))
    assert [written["text"] for written in again.sides] == texts
    by_lora = asked(playground, tiny, side(lora, 2.0), side())
    assert by_lora.state == "done", by_lora.said
    assert by_lora.sides[1]["text"] == texts[0]
    assert pid() == process
    ready = playground.ready()
    assert ready is not None
    assert (ready["model"], ready["dtype"], ready["template"]) == (str(tiny), "float32", True)

    # What is wrong with a question is said, and the next one is answered.
    missing = asked(playground, tiny, side("20260101-000000-no-such"))
    assert (missing.state, "no run" in missing.said) == ("failed", True)
    other = save_model(tmp_path / "other", "qwen2", hidden_size=32)
    strange = train(spec_for(other, sentences, steps=1)).name
    foreign = asked(playground, tiny, side(strange))
    assert "other weights" in foreign.said
    assert asked(playground, tiny, side()).sides[0]["text"] == texts[0]
    assert pid() == process

    # Another model takes the place of this one.
    assert asked(playground, other, side(strange)).state == "done"
    assert pid() != process
    until(lambda: stamp(process) is None, 30)


def test_a_stop_leaves_what_was_written(playground: Playground, tiny: Path) -> None:
    number = playground.ask(str(tiny), [side(), side()], LONG)
    with pytest.raises(RunError, match="being written"):
        playground.ask(str(tiny), [side()], DRAWN)
    playground.stop()
    found = answered(playground, number)
    assert found.state == "done"
    assert {written["ended"] for written in found.sides} <= {"stopped", "length", "end"}
    asked(playground, tiny, side())
    with pytest.raises(RunError, match="Another question"):
        playground.answer(number)


def test_it_ends_when_nobody_talks_and_begins_again(tiny: Path) -> None:
    playground = Playground(idle_seconds=0.3)
    assert asked(playground, tiny, side()).state == "done"
    until(lambda: place.living() is None, 30)
    until(lambda: playground.ready() is None, 30)
    assert asked(playground, tiny, side()).state == "done"
    playground.end()
    assert place.living() is None


def test_it_ends_with_the_dashboard_however_that_ends(tiny: Path) -> None:
    dashboard = subprocess.Popen([sys.executable, "-c", ASKS, str(tiny)], env=dict(os.environ))
    try:
        until(lambda: place.living() is not None, 60)
        launched = place.living()
        assert launched is not None
    finally:
        dashboard.send_signal(signal.SIGKILL)
        dashboard.wait()
    until(lambda: not is_alive(launched.pid, launched.begun), 60)


def test_a_run_that_needs_the_device_ends_it_and_is_not_disturbed(
    playground: Playground, tiny: Path, step_worker: None
) -> None:
    assert asked(playground, tiny, side()).state == "done"
    number = playground.ask(str(tiny), [side(), side()], LONG)
    run = start({"model": "nano", "plan": {"name": "x"}, "steps": 100_000, "pause": 0.05})
    assert worker_pid(run_folder(run)) is not None
    assert place.living() is None
    found = answered(playground, number)
    # It may have come to its end first: then there is nothing to say.
    assert found.state == "done" or run in found.said
    with pytest.raises(RunError, match=f"{run} is training on"):
        playground.ask(str(tiny), [side()], DRAWN)
    kill(run)
    assert asked(playground, tiny, side()).state == "done"


def test_a_killed_worker_is_told_and_the_next_question_starts_another(
    playground: Playground, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(playground, tiny, side()).state == "done"
    number = playground.ask(str(tiny), [side(), side()], {**LONG, "tokens": 2000})
    os.kill(pid(), signal.SIGKILL)
    found = answered(playground, number)
    assert (found.state, found.said) == ("failed", ENDED)
    assert asked(playground, tiny, side()).state == "done"
    # The kernel's own kills are counted: one more than when the worker began.
    monkeypatch.setattr("qwen_ui.workers.playground.memory_kills", lambda: 3)
    assert _why(Launched(pid=1, memory_kills=2)) == KILLED_FOR_MEMORY
    assert _why(Launched(pid=1, memory_kills=3)) == ENDED


def test_too_little_memory_is_said_in_words(
    playground: Playground, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="needs about 1000 TB"):
        _refuse_too_large(1e15, "cpu")
    assert _said(MemoryError()) == OUT_OF_MEMORY
    assert _said(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")) == OUT_OF_MEMORY
    assert _said(ZeroDivisionError()) == INTERNAL
    capsys.readouterr()


def test_a_model_that_cannot_be_loaded_is_said(playground: Playground, tmp_path: Path) -> None:
    found = asked(playground, tmp_path / "nothing", side())
    assert found.state == "failed"
    assert "nothing" in found.said
    until(lambda: place.living() is None, 30)
