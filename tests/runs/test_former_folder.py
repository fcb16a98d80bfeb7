"""A run folder written before settings had groups: every reader still reads it.

`golden/` holds it as the program of then left it, but for its delta, its log and the names of the
machine: BitFit on nano, 24 steps asked for, stopped after 11.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.compare import read_comparison
from qwen_ui.compare.comparison import COMPARISON_FILE, comparisons_folder
from qwen_ui.compare.report import setup_of
from qwen_ui.engine.checkpoint import last_checkpoint
from qwen_ui.files import read_json, write_json
from qwen_ui.paths import ASSETS, runs_folder
from qwen_ui.runs import (
    create_run,
    fold_run,
    lines_of,
    read_events,
    read_spec,
    run_rows,
    run_summary,
    setting_differences,
)
from qwen_ui.runs.spec import SCHEMA
from qwen_ui.ui.page.run_actions import retry, settings
from qwen_ui.ui.page.run_view import title_of

GOLDEN = Path(__file__).parent / "golden"
DATA = "assets/data/kjv-eval.txt"


@pytest.fixture
def former() -> Path:
    """The folder, among the runs of this test's home."""
    (folder,) = GOLDEN.iterdir()
    return Path(shutil.copytree(folder, runs_folder() / folder.name))


def test_its_settings_stand_in_groups(former: Path) -> None:
    assert "schema" not in read_json(former / "spec.json")
    spec = read_spec(former)
    assert (spec.model.source, spec.data.source) == ("nano", DATA)
    assert (spec.data.validation_split, spec.data.sequence_length) == (0.1, 64)
    optimization = spec.optimization
    assert (optimization.steps, optimization.gradient_accumulation_steps) == (24, 2)
    assert (spec.evaluation.eval_every, spec.evaluation.early_stopping_patience) == (4, 6)
    assert (spec.resources.threads, spec.resources.checkpoint_every) == (1, 8)


def test_index_summary_and_curves_read_it(former: Path) -> None:
    (row,) = run_rows(runs_folder())
    expected = {"status": "stopped", "step": 11, "steps": 24, "model": "nano", "trainable": 1024}
    expected |= {"plan": "bitfit on last:4", "data": "kjv-eval.txt", "learning_rate": 0.3}
    assert expected.items() <= row.items()
    summary = run_summary(former)
    assert len(summary["losses"]) == 11
    assert summary["eval_loss_after"] < summary["eval_loss_before"]
    lines = lines_of(fold_run(former))
    assert lines["loss"][0] == list(range(1, 12))
    assert lines["eval"][0] == [0, 4, 8, 11]
    assert title_of(former) == "bitfit on last:4 · nano"


def test_it_stands_beside_a_run_of_today(former: Path) -> None:
    again = create_run(read_spec(former).changed(seed=6).to_dict(), {})
    found = setting_differences([former.name, again.name])
    rows = {row["setting"]: row["values"] for row in found if "plan" not in row["setting"]}
    assert rows == {"seed": ["5", "6"], "split_seed": ["–", "0"]}


def test_a_comparison_of_then_is_read(former: Path) -> None:
    entry = {"label": "bitfit", "seed": 5, "spec": read_json(former / "spec.json")}
    (comparisons_folder() / "then").mkdir(parents=True)
    record = {"entries": [{**entry, "run": former.name}]}
    write_json(comparisons_folder() / "then" / COMPARISON_FILE, record)
    said = setup_of(read_comparison("then"))
    assert "on nano" in said
    assert "24 steps of 2 × 64 tokens, seed 5" in said


@pytest.mark.usefixtures("step_worker")
def test_a_retry_takes_its_settings_over(former: Path) -> None:
    shown = {setting["name"]: setting for setting in settings(former.name)["settings"]}
    assert shown["gradient_accumulation_steps"]["value"] == 2
    assert shown["early_stopping_patience"]["label"] == "Early stopping patience"
    assert shown["schedule"]["choices"] == ("cosine", "linear", "constant")
    run = retry(former.name, {"steps": "3", "learning_rate": "1e-2"})
    expected = read_spec(former).changed(steps=3, learning_rate=1e-2)
    assert read_spec(runs_folder() / run) == expected
    assert read_json(runs_folder() / run / "spec.json")["schema"] == SCHEMA


def test_it_is_resumed_from_its_checkpoint(former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ASSETS.parent)
    found = last_checkpoint(former / "checkpoints")
    assert found is not None
    assert found[1].step == 11
    workers.resume(former.name)
    summary = workers.wait(former.name)
    assert summary["status"] == "completed", summary["reason"]
    starts = [event for event in read_events(former)[0] if event["event"] == "start"]
    assert [start["step"] for start in starts] == [0, 11]
    assert len(summary["losses"]) == 24
    assert summary["eval_loss_after"] < summary["eval_loss_before"]
