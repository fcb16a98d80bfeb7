"""The figures of a list: new events bring them up to date as if all had come at once."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import Event, RunTotals
from tests.helpers.run_events import evaluation, fold_of, kept, start, step

losses = st.floats(0, 10) | st.none()
events = st.lists(
    st.builds(lambda loss, bytes_: {"loss": loss, "memory_bytes": bytes_}, losses, st.integers(0)),
    max_size=12,
)


@given(events, st.lists(losses, max_size=4), st.integers(0, 20))
def test_two_parts_come_to_what_one_does(
    steps: list[dict[str, Any]], evals: list[float | None], cut: int
) -> None:
    run: list[Event] = [
        start(device="cpu"),
        *(step(n + 1, **given) for n, given in enumerate(steps)),
    ]
    run += [evaluation(len(steps), loss) for loss in evals]
    totals = RunTotals.of(fold_of(run[:cut]))
    # Through the index and back.
    totals = RunTotals(**json.loads(json.dumps(asdict(totals))))
    totals.add(fold_of(run[cut:]))
    assert totals == RunTotals.of(fold_of(run))


def test_evaluations_are_those_before_and_after_training() -> None:
    run = [start(), evaluation(0, 6.0)]
    assert RunTotals.of(fold_of(run)).eval_before == 6.0
    assert RunTotals.of(fold_of(run)).eval_after is None
    run += [step(1), evaluation(1, 3.0), step(2), evaluation(2, 4.0)]
    totals = RunTotals.of(fold_of(run))
    assert (totals.eval_before, totals.eval_after, totals.best_eval) == (6.0, 4.0, 3.0)
    said = {"event": "end", "eval_loss_before": 5.9, "eval_loss_after": 2.9}
    totals = RunTotals.of(fold_of([*run, said]))
    assert (totals.eval_before, totals.eval_after) == (5.9, 2.9)


def test_forgetting_is_known_once_training_has_begun() -> None:
    totals = RunTotals.of(fold_of([start(), kept(0, 3.25, 0.0)]))
    assert (totals.forgetting, totals.kl) == (None, 0.0)
    totals.add(fold_of([step(1), kept(1, 3.5, 0.1)]))
    assert (totals.forgetting, totals.kl) == (0.25, 0.1)
    assert RunTotals.of(fold_of([start(), step(1), evaluation(1, 3.0)])).forgetting is None
