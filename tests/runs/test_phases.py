"""Phases are told when they begin, and now and then while they go on."""

from __future__ import annotations

import json

from qwen_ui.runs import Phases, RunWriter, create_run, fold_run, read_events


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_phase_that_goes_on_is_told_twice_a_second() -> None:
    folder, clock = create_run({"model": "nano", "steps": 2}, {"name": "x"}), Clock()
    with RunWriter(folder) as writer:
        tell = Phases(writer, clock)
        tell("loading")
        for done in range(1, 101):
            clock.now += 0.0625
            tell("before", done, 100)
        tell.per_step = 0.25
        tell("training")
    told = [event for event in read_events(folder)[0] if event["event"] == "phase"]
    assert [event["phase"] for event in told[:2]] == ["loading", "before"]
    assert "per_step" not in told[0]
    assert [event["done"] for event in told[1:-1]] == list(range(1, 101, 8))
    assert fold_run(folder).phase["phase"] == "training"
    assert fold_run(folder).phase["per_step"] == 0.25


def test_what_is_told_is_a_sign_of_life() -> None:
    folder = create_run({"model": "nano", "steps": 2}, {"name": "x"})
    status = folder / "status.json"
    with RunWriter(folder) as writer:
        writer._beat = -10.0  # told long ago
        status.unlink()
        Phases(writer)("prefix", 3, 12)
        assert json.loads(status.read_text())["status"] == "running"
