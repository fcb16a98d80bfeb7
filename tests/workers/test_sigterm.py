"""SIGTERM at any time: a checkpoint, from which the run goes on as if nothing had been."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.engine import checkpoint, trainer
from qwen_ui.engine.loop import Loop
from qwen_ui.runs import create_run, read_events, run_summary, status_of
from qwen_ui.runs.sigterm import Terminated, Termination
from qwen_ui.workers.worker import main
from tests.helpers.runs import events_of, losses_of, spec_for, train


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def after(method: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The method, in the midst of whose `count`-th call the signal comes."""
    calls = iter(range(1, 1000))

    def called(self: Any, *given: Any) -> Any:
        if next(calls) == count:
            terminate()
        return method(self, *given)

    return called


# Evaluations: one before, after the steps 3, 6, 9, and after the last.
MOMENTS = {
    "in a step": ("take", 5, 5),
    "in the last step": ("take", 12, 12),
    "in an evaluation": ("evaluate", 3, 6),
    "in the last evaluation": ("evaluate", 5, 12),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_told_to_end_saves_and_goes_on_to_bitwise_the_same(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    name, count, step = MOMENTS[moment]
    spec = spec_for(tiny, sentences, steps=12, eval_every=3, early_stopping_patience=3)
    whole = train(spec)
    folder = create_run(spec.to_dict(), spec.plan)
    with monkeypatch.context() as patch:
        patch.setattr(Loop, name, after(getattr(Loop, name), count))
        assert main(folder) == 1
    status = status_of(folder)
    assert status.status == "interrupted"
    assert f"after step {step} and saved a checkpoint" in status.reason
    found = checkpoint.last_checkpoint(folder / trainer.CHECKPOINTS)
    assert found is not None
    assert found[1].step == step
    assert main(folder) == 0
    assert losses_of(folder) == losses_of(whole)
    evaluated = [(e["step"], e["loss"]) for e in events_of(folder, "eval")]
    assert evaluated == [(e["step"], e["loss"]) for e in events_of(whole, "eval")]
    delta, expected = ((run / "delta.safetensors").read_bytes() for run in (folder, whole))
    assert delta == expected
    assert run_summary(folder)["status"] == "completed"


def test_before_its_first_step_a_run_ends_at_once(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_for(tiny, sentences)
    folder = create_run(spec.to_dict(), spec.plan)
    monkeypatch.setattr(Loop, "evaluate", after(Loop.evaluate, 1))
    assert main(folder) == 1
    assert status_of(folder).reason.startswith("It was told to end (SIGTERM) before")
    assert not (folder / trainer.CHECKPOINTS).exists()
    assert read_events(folder)[0][-1]["event"] == "end"


def test_what_is_held_is_not_broken_off() -> None:
    done: list[str] = []
    termination = Termination()
    with termination.watched():
        with termination.held():
            terminate()
            done.append("held")
            with pytest.raises(Terminated), termination.released():
                done.append("not reached")
        with pytest.raises(Terminated):
            terminate()
        assert termination.asked
    assert done == ["held"]
    assert not termination.asked
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_upon_a_stop_leaves_its_checkpoint(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_for(tiny, sentences, steps=12)
    folder = create_run(spec.to_dict(), spec.plan)
    take = Loop.take

    def both(self: Loop, number: int) -> Any:
        if number == 3:
            (folder / "stop").touch()
            terminate()
        return take(self, number)

    monkeypatch.setattr(Loop, "take", both)
    main(folder)
    # A stop ends with an evaluation, for which the signal leaves no time; its checkpoint is there.
    assert run_summary(folder)["status"] == "interrupted"
    found = checkpoint.last_checkpoint(folder / trainer.CHECKPOINTS)
    assert found is not None
    assert found[1].step == 3
