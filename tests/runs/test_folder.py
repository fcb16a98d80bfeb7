"""The folder of a run: made whole, found by its name, removed when it is over."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qwen_ui.errors import RunError
from qwen_ui.runs import (
    RunWriter,
    create_run,
    delete_run,
    list_runs,
    run_folder,
    run_names,
    status_of,
)
from qwen_ui.workers import queued_runs

SPEC = {"model": "nano", "steps": 4}
PLAN = {"name": "attention", "rules": []}


def test_a_new_run_is_whole_and_queued(home_of_its_own: Path) -> None:
    folder = create_run(SPEC, PLAN)
    assert run_folder(folder.name) == folder
    assert status_of(folder).status == "queued"
    assert json.loads((folder / "plan.json").read_text()) == PLAN
    assert json.loads((folder / "environment.json").read_text())["packages"]["torch"]
    assert sorted(os.listdir(folder.parent)) == [folder.name]
    assert "attention-nano" in folder.name


def test_names_stay_inside_the_folder_whatever_a_plan_is_called() -> None:
    folder = create_run({"model": "../../x"}, {"name": "../..//Ünï <b>"})
    assert folder.parent.name == "runs"
    assert run_names() == [folder.name]


@pytest.mark.parametrize("name", ["", "..", "../runs", "/etc", "no-such-run", "a/b", ".new-x"])
def test_a_run_that_is_not_there_is_a_sentence(name: str) -> None:
    with pytest.raises(RunError, match="There is no run"):
        run_folder(name)


def test_a_run_is_deleted_only_when_over() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        with pytest.raises(RunError, match="not over"):
            delete_run(folder.name)
        run.status("stopped")
    delete_run(folder.name)
    assert run_names() == []


def test_what_is_no_run_is_never_taken_for_one(home_of_its_own: Path) -> None:
    folder = create_run(SPEC, PLAN)
    list_runs()
    (folder.parent / "junk").mkdir()
    (folder.parent / "file.txt").touch()
    assert queued_runs() == [folder.name]
    (folder / "status.json").write_text("{ torn")
    assert status_of(folder).status == "interrupted"
    assert queued_runs() == []
