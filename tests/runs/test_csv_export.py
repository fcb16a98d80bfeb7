"""Runs as CSV."""

from __future__ import annotations

from qwen_ui.runs import csv_of, runs_csv
from tests.helpers.run_events import evaluation, finished, fold_of, kept, start, step


def rows_of(text: str) -> list[dict[str, str]]:
    head, *rows = (line.split(",") for line in text.splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_csv_has_a_row_per_step_and_per_evaluation() -> None:
    text = csv_of(fold_of([evaluation(0, 6.0), step(1), evaluation(1, 3.0), step(2, None)]))
    assert text.startswith("step,epoch,")
    found = [(row["step"], row["loss"], row["eval_loss"]) for row in rows_of(text)]
    assert found == [("0", "", "6"), ("1", "2", ""), ("1", "", "3"), ("2", "", "")]


def test_csv_has_what_is_lost_of_a_text_to_keep() -> None:
    found = rows_of(csv_of(fold_of([step(1), kept(1, 3.5, 0.25)])))
    assert [(row["keep_loss"], row["kl"]) for row in found] == [("", ""), ("3.5", "0.25")]


def test_steps_done_again_have_one_row() -> None:
    text = csv_of(fold_of([step(1), step(2), step(3, 9.0), start(2), step(3, 1.0)]))
    assert [(row["step"], row["loss"]) for row in rows_of(text)] == [
        ("1", "2"),
        ("2", "2"),
        ("3", "1"),
    ]


def test_one_csv_holds_several_runs() -> None:
    a, b = finished("bitfit", 3.0).name, finished("attention", 4.0).name
    head, *rows = runs_csv([a, b]).splitlines()
    assert head.startswith("run,step")
    assert {row.split(",")[0] for row in rows} == {a, b}
    assert len(rows) == 8
