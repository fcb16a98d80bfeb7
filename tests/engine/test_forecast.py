"""What is expected of the rest of a run, from its first pass on."""

from __future__ import annotations

import pytest

from qwen_ui.engine import Trainer, set_up
from qwen_ui.engine.forecast import to_come
from qwen_ui.freeze import preset
from qwen_ui.runs import Event, Phases, RunWriter, create_run, make_spec, read_events
from tests.helpers.settings import SETTINGS


@pytest.mark.parametrize(
    ("steps", "every", "step", "expected"),
    [
        (10, 0, 0, (1, 2)),
        (10, 3, 0, (4, 2)),
        (10, 3, 4, (3, 2)),
        (9, 3, 8, (1, 2)),
        (9, 3, 9, (1, 2)),
    ],
)
def test_what_is_measured_after_a_step(
    steps: int, every: int, step: int, expected: tuple[int, int]
) -> None:
    spec = make_spec(model="nano", plan={}, data="x", steps=steps, eval_every=every, sample_every=0)
    evaluations, samplings = to_come(spec, step)
    assert (evaluations, samplings + 1) == expected
    assert to_come(spec.changed(sample_tokens=0), step)[1] == 0


def test_a_run_tells_its_phases_in_order_and_how_long_it_will_take() -> None:
    plan = preset("bitfit").to_dict()
    given = {**SETTINGS, "model": "nano", "plan": plan}
    spec = make_spec(**{**given, "steps": 4, "eval_every": 2, "eval_tokens": 1024})
    folder = create_run(spec.to_dict(), spec.plan)
    with RunWriter(folder) as writer:
        tell = Phases(writer)
        Trainer(set_up(spec, folder, tell), writer, tell).run()
    events, _ = read_events(folder)
    told = [event for event in events if event["event"] == "phase"]
    names = list(dict.fromkeys(event["phase"] for event in told))
    assert names == [
        *("tokenizing", "loading", "proving", "before", "sampling", "training", "measuring"),
        *("after", "saving"),
    ]
    assert _first(told, "before")["total"] <= 1024
    training = _first(told, "training")
    # Two evaluations are to come, and one sampling.
    assert training["beside"] > 0
    assert training["per_step"] > 0
    assert [e["phase"] for e in told].count("training") == 2
    notes = [event["message"] for event in events if event["event"] == "log"]
    assert any("sequences are measured" in note for note in notes)
    assert told[-1]["beside"] < training["beside"]


def _first(told: list[Event], phase: str) -> Event:
    return next(event for event in told if event["phase"] == phase)
