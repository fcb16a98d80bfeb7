"""Several runs side by side: their curves, what tells them apart, and the best."""

from __future__ import annotations

from typing import Any

import pytest

from qwen_ui.errors import RunError
from qwen_ui.paths import runs_folder
from qwen_ui.runs import best_run, create_run, run_curves, run_rows, setting_differences
from tests.helpers.run_events import append, finished, new_run, start, step


def test_differences_are_only_what_differs() -> None:
    a = finished("bitfit", 3.0).name
    b = finished("attention", 4.0, learning_rate=1e-2).name
    found = {row["setting"]: row["values"] for row in setting_differences([a, b])}
    assert found["learning_rate"] == ["0.001", "0.01"]
    assert found["plan.name"] == ["bitfit", "attention"]
    assert "model" not in found
    labels = {row["setting"]: row["label"] for row in setting_differences([a, b])}
    assert labels["learning_rate"] == "Learning rate"
    assert labels["plan.name"] == "Plan"
    assert labels["plan.rule 1"] == "Plan, rule 1"
    assert setting_differences([a, a]) == []


def test_the_best_has_the_lowest_evaluation() -> None:
    finished("attention", 4.0)
    best = finished("bitfit", 3.0).name
    create_run({"model": "nano", "steps": 9}, {"name": "a"})
    assert best_run(run_rows(runs_folder())) == best
    assert best_run([]) is None


def test_each_run_is_drawn_along_the_axis() -> None:
    a, b = finished("bitfit", 3.0).name, finished("attention", 4.0).name
    found = run_curves([a, b], axis="tokens")
    assert [run["run"] for run in found] == [a, b]
    assert found[0]["lines"]["loss"] == ([8, 16], [4.0, 3.5])
    assert found[0]["lines"]["eval"] == ([0, 16], [6.0, 3.0])
    with pytest.raises(RunError):
        run_curves(["../x"])


def test_curves_grow_and_a_resumed_run_is_drawn_anew() -> None:
    folder = new_run()

    def loss() -> Any:
        return run_curves([folder.name])[0]["lines"].get("loss")

    assert loss() is None
    append(folder, start(), step(1, 3.0), step(2, 2.0))
    drawn = loss()
    append(folder, step(3, 1.0))
    assert loss() == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert drawn == ([1, 2], [3.0, 2.0]), "what was handed out is not changed"
    append(folder, start(1), step(2, 5.0))
    assert loss() == ([1, 2], [3.0, 5.0])


def test_a_run_is_drawn_along_each_axis() -> None:
    folder = new_run()
    append(folder, start(), step(1), step(2))
    by_step = run_curves([folder.name])[0]["lines"]["smooth"][0]
    by_tokens = run_curves([folder.name], axis="tokens")[0]["lines"]["smooth"][0]
    assert (by_step, by_tokens) == ([1, 2], [100, 200])
