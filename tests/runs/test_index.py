"""The index: as true as the folders, and built again whenever it is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    RunFold,
    RunWriter,
    annotate,
    changed_rows,
    delete_run,
    fold_from,
    index,
    run_rows,
)
from tests.helpers.run_events import append, evaluation, finished, new_run, start, step


def test_a_row_says_what_a_list_shows() -> None:
    finished("bitfit", 3.0)
    (row,) = run_rows(runs_folder())
    expected = {"status": "completed", "step": 2, "steps": 2, "loss": 3.5, "eval_before": 6.0}
    expected |= {"eval_after": 3.0, "plan": "bitfit", "model": "nano", "data": "x.txt"}
    assert expected.items() <= row.items()


def test_what_changes_in_a_folder_changes_in_the_list() -> None:
    folder = new_run()
    with RunWriter(folder) as run:
        for number in range(1, 4):
            run.event("step", step=number, loss=1.0 / number)
            (row,) = run_rows(runs_folder())
            assert (row["step"], row["status"]) == (number, "running")
        run.status("completed")
    annotate(folder.name, name="mine", tags=["a", "a", " b "], note="n")
    (row,) = run_rows(runs_folder())
    assert (row["status"], row["name"], row["tags"]) == ("completed", "mine", ["a", "b"])
    delete_run(folder.name)
    assert run_rows(runs_folder()) == []


@pytest.mark.parametrize("damage", ["missing", "garbage", "old"])
def test_a_damaged_index_is_built_again(damage: str) -> None:
    finished("bitfit", 3.0)
    before = run_rows(runs_folder())
    file = runs_folder() / index.INDEX
    if damage == "missing":
        file.unlink()
    elif damage == "garbage":
        file.write_bytes(b"no database" * 1000)
    else:
        with index._open(runs_folder()) as connection:
            connection.execute("PRAGMA user_version=0")
            connection.execute("UPDATE runs SET shown = '{}'")
    assert run_rows(runs_folder()) == before


def test_events_are_read_on_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_run()
    offsets: list[int] = []

    def fold_and_note(folder: Path, offset: int = 0) -> tuple[RunFold, int]:
        offsets.append(offset)
        return fold_from(folder, offset)

    monkeypatch.setattr(index, "fold_from", fold_and_note)
    with RunWriter(folder) as run:
        for number in (1, 2, 3):
            run.event("step", step=number, loss=1.0)
            run_rows(runs_folder())
    assert offsets[0] == 0 or offsets[0] < offsets[1]
    assert offsets == sorted(set(offsets))


def test_a_reset_clock_does_not_hide_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished("bitfit", 3.0)
    run_rows(runs_folder())
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with RunWriter(folder) as run:
        run.event("step", step=3, loss=9.0)
        run.status("completed")
    assert run_rows(runs_folder())[0]["loss"] == 9.0


def test_a_resumed_run_forgets_what_it_does_again() -> None:
    folder = new_run()
    append(folder, start(), step(1), evaluation(1, 3.0), step(2), evaluation(2, 1.0))
    assert run_rows(runs_folder())[0]["best_eval"] == 1.0
    append(folder, start(1), step(2, 9.0))
    (row,) = run_rows(runs_folder())
    assert (row["step"], row["loss"], row["best_eval"]) == (2, 9.0, 3.0)


def test_a_page_is_told_of_changed_rows_alone() -> None:
    finished("attention", 4.0)
    changed = finished("bitfit", 3.0)
    first = changed_rows(runs_folder())
    assert (first.whole, len(first.rows)) == (True, 2)
    annotate(changed.name, note="n")
    found = changed_rows(runs_folder(), first.seen)
    assert (found.whole, found.total) == (False, 2)
    assert [row["run"] for row in found.rows] == [changed.name]
    assert changed_rows(runs_folder(), found.seen).rows == []
