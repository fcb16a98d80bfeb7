"""Runs of a former version, which drew other held-out rows for every seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qwen_ui.compare import comparison_record, make_comparison, write_comparison
from qwen_ui.compare.comparison import Comparison
from qwen_ui.freeze import preset
from qwen_ui.runs import RunWriter, create_run

START = {"trainable_parameters": 10, "total_parameters": 100, "learning_rate": 1e-3}


def finished(comparison: Comparison, fingerprint: str | None) -> Comparison:
    """The comparison with every run completed; without a fingerprint as a former version did."""
    entries = []
    for entry in comparison.entries:
        folder = create_run(entry.spec.to_dict(), {"name": f"{entry.label} {entry.seed}"})
        with RunWriter(folder) as run:
            held_out = {"evaluation_fingerprint": fingerprint} if fingerprint else {}
            run.event("start", step=0, steps=2, **START, **held_out)
            run.event("eval", step=0, loss=3.0)
            for step in (1, 2):
                run.event("step", step=step, loss=3.0, tokens=10 * step, seconds=0.1, elapsed=0.1)
            run.event("eval", step=2, loss=2.0 + 0.5 * (entry.label == "bitfit"))
            run.event("end", status="completed", eval_loss_before=3.0, eval_loss_after=2.0)
            run.status("completed", step=2)
        entries.append(replace(entry, run=folder.name))
    done = replace(comparison, entries=tuple(entries))
    write_comparison(done)
    return done


@pytest.mark.parametrize(
    ("name", "fingerprint", "comparable"),
    [("a.jsonl", None, False), ("a.txt", None, True), ("a.jsonl", "same", True)],
)
def test_whether_they_can_be_compared(
    tmp_path: Path, name: str, fingerprint: str | None, comparable: bool
) -> None:
    data = tmp_path / name
    data.write_text(json.dumps({"text": "x"}))
    plans = [preset("attention"), preset("bitfit")]
    made = make_comparison("nano", plans, seeds=(0, 1), data=str(data), steps=2)
    record = comparison_record(finished(made, fingerprint))
    said = "cannot be compared" in record["verdict"]
    assert said != comparable
    assert (record["paired"] is not None) == comparable
