"""Comparisons run by real workers, cut off, resumed and judged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.compare import (
    latest_comparison,
    make_comparison,
    markdown_report,
    notes_of,
    parse_plans,
    read_comparison,
    results,
    rows_of,
    run_comparison,
    searches_of,
    verdict_sentence,
)
from qwen_ui.freeze import preset
from qwen_ui.paths import ASSETS
from qwen_ui.runs import read_events, run_folder, status_of
from qwen_ui.workers import worker_pid
from tests.helpers.settings import SETTINGS
from tests.helpers.waiting import until


@pytest.fixture
def short_evaluation(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "eval.txt"
    text = (ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")
    file.write_text(text[:4000], encoding="utf-8")
    return {**SETTINGS, "eval_data": str(file)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_plans_are_run_on_the_same_data_and_judged(short_evaluation: dict[str, Any]) -> None:
    plans = parse_plans("attention,bitfit")
    rates = (3e-3, 1e-2)
    made = make_comparison("nano", plans, learning_rates=rates, **short_evaluation)
    comparison = run_comparison(made)
    found = results(comparison)
    assert [r["plan"] for r in found] == ["attention on last:4", "bitfit on last:4"]
    assert {r["status"] for r in found} == {"completed"}
    first, second = found
    assert first["eval_loss_before"] == second["eval_loss_before"]
    assert first["losses"][0] == pytest.approx(second["losses"][0], rel=1e-6)
    assert first["learning_rate"] != second["learning_rate"]
    assert first["prefix_blocks"] == second["prefix_blocks"] == 24
    rows = rows_of(found)
    assert rows[0].trainable > rows[1].trainable > 0
    assert all(row.after < row.before for row in rows)
    assert "on one seed: the seed-to-seed variance is unknown" in verdict_sentence(rows)
    text = markdown_report(comparison)
    assert f"{rows[1].trainable:,}" in text
    # Interrupted after the first run: what is there stays, what is missing is run, and the same.
    cut = replace(
        comparison, entries=(comparison.entries[0], replace(comparison.entries[1], run=None))
    )
    again = run_comparison(cut)
    assert again.runs[0] == comparison.runs[0]
    assert again.runs[1] != comparison.runs[1]
    assert results(again)[1]["losses"] == second["losses"]
    assert read_comparison(comparison.name) == again == latest_comparison()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_rate_is_found_once_for_all_seeds_of_a_plan(short_evaluation: dict[str, Any]) -> None:
    plans = parse_plans("attention@last:1,bitfit@last:1")
    made = make_comparison(
        "nano", plans, seeds=(0, 1), learning_rates=(None, 0.5), **short_evaluation
    )
    comparison = run_comparison(made)
    ((plan, search),) = searches_of(comparison)
    assert plan == "attention on last:1"
    assert search.rate is not None
    found = results(comparison)
    assert [r["learning_rate"] for r in found] == [search.rate, 0.5, search.rate, 0.5]
    assert {r["held_out"] for r in found} == {found[0]["held_out"]}
    attention, bitfit = rows_of(found)
    assert attention.rate_source == search.source
    assert attention.rate_seconds == search.seconds > 0
    assert bitfit.rate_seconds == 0
    text = markdown_report(comparison)
    assert f"{attention.rate_seconds:.1f} s" in text
    assert "found by short runs" in text
    notes = notes_of(comparison)
    assert len(notes) == len(set(notes))
    assert all(note in " ".join(text.split()) for note in notes)
    # Asked again, nothing is searched for again.
    assert run_comparison(comparison) == comparison == read_comparison(comparison.name)


STARTER = """
import sys
from qwen_ui.compare import run_comparison, read_comparison
run_comparison(read_comparison(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_comparison_goes_on_after_its_starter_and_its_worker_were_killed(
    short_evaluation: dict[str, Any],
) -> None:
    settings = {**short_evaluation, "steps": 150, "checkpoint_every": 5, "threads": 1}
    plans = [preset("attention", "last:1"), preset("bitfit", "last:1")]
    made = make_comparison("nano", plans, learning_rates=(1e-3, 1e-3), **settings)
    starter = subprocess.Popen([sys.executable, "-c", STARTER, made.name])

    def first_run_with_a_checkpoint() -> str | None:
        assert starter.poll() is None
        for run in read_comparison(made.name).runs[:1]:
            if any((run_folder(run) / "checkpoints").glob("step-*")):
                return run
        return None

    begun = until(first_run_with_a_checkpoint, 240)
    worker = worker_pid(run_folder(begun))
    assert worker is not None
    starter.kill()
    os.kill(worker, signal.SIGKILL)
    starter.wait()
    until(lambda: status_of(run_folder(begun)).status == "interrupted")
    done = run_comparison(read_comparison(made.name))
    assert done.runs[0] == begun
    first, second = results(done)
    assert first["status"] == second["status"] == "completed"
    assert len(first["losses"]) == len(second["losses"]) == 150
    starts = [e for e in read_events(run_folder(begun))[0] if e["event"] == "start"]
    assert [start["step"] > 0 for start in starts] == [False, True]
