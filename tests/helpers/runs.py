"""Runs made and trained inside the test's own process, through the worker's own entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwen_ui.engine.trainer import Trainer
from qwen_ui.freeze import preset
from qwen_ui.runs import RunSpec, create_run, make_spec, read_events
from qwen_ui.workers.worker import main


def spec_for(
    model: Path | str, data: Path | str, plan: str = "attention", **values: Any
) -> RunSpec:
    """A short run on a small model."""
    layers = values.pop("layers", "last:2" if plan in {"attention", "bitfit", "mlp"} else None)
    settings = {
        "steps": 6,
        "batch_size": 3,
        "sequence_length": 48,
        "sample_tokens": 4,
        "threads": 1,
    }
    return make_spec(
        model=str(model),
        data=str(data),
        plan=preset(plan, layers).to_dict(),
        **{**settings, **values},
    )


def train(spec: RunSpec) -> Path:
    """The folder of a run that was trained to its end."""
    folder = create_run(spec.to_dict(), spec.plan)
    main(folder)
    return folder


class Killed(BaseException):
    """Ends a worker as kill -9 would: nothing of ours runs after it."""


def killed_and_resumed(spec: RunSpec, kill_at: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run whose worker died after this step and was started again."""
    folder = create_run(spec.to_dict(), spec.plan)
    honest = Trainer._stop_requested

    def die(self: Trainer, step: int) -> bool:
        if step == kill_at:
            raise Killed
        return honest(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_stop_requested", die)
        patch.setattr("qwen_ui.workers.worker._failed", lambda writer, error: 1)
        main(folder)
    main(folder)
    return folder


def events_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder)[0] if event["event"] == name]


def losses_of(folder: Path) -> list[float]:
    return [event["loss"] for event in events_of(folder, "step")]
