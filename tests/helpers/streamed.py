"""The same run with its frozen blocks held, and with them read one by one from the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.engine import Prepared
from qwen_ui.freeze import FreezePlan, Rule
from tests.helpers.recorded_run import Recorder, record_run


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        losses: of its steps.
        norms: of its gradients.
        before, after: evaluation losses.
    """

    losses: tuple[float, ...]
    norms: tuple[float, ...]
    before: float
    after: float
    prepared: Prepared

    @property
    def figures(self) -> tuple[Any, ...]:
        """All that has to be equal, to the last bit."""
        return self.losses, self.norms, self.before, self.after


def last(blocks: int) -> FreezePlan:
    """A plan that trains the last blocks alone."""
    return FreezePlan(rules=(Rule(layers=f"last:{blocks}"),))


def train(model: Path, data: Path, plan: FreezePlan, home: Path, **settings: Any) -> Outcome:
    """A run of three steps in a home of its own, so that it shares no cached outputs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QWEN_UI_HOME", str(home))
        recorder, prepared = record_run(
            model, data, plan, home.with_suffix(".run"), **{"steps": 3, **settings}
        )
    return outcome(recorder, prepared)


def outcome(recorder: Recorder, prepared: Prepared) -> Outcome:
    ended = recorder.ended
    return Outcome(
        tuple(step["loss"] for step in recorder.steps),
        tuple(step["gradient_norm"] for step in recorder.steps),
        ended["eval_loss_before"],
        ended["eval_loss_after"],
        prepared,
    )
