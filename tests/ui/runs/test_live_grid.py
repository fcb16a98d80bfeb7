"""What the live grid's section and the report are told of a run's pictures."""

from __future__ import annotations

import pytest

from qwen_ui.errors import RunError
from qwen_ui.freeze import preset
from qwen_ui.runs import RunWriter, create_run, make_spec, run_rows
from qwen_ui.ui.runs.live_grid import look_at_grid
from qwen_ui.ui.runs.report import report
from tests.helpers.commands import KJV

KINDS = [["q.weight", "attention", "0-1"], ["norm.weight", "norm", ""]]


def recorded(*pictures: dict[str, object]) -> str:
    plan = preset("attention", "last:4").to_dict()
    spec = make_spec(model="nano", data=KJV, plan=plan, steps=4)
    folder = create_run(spec.to_dict(), plan)
    with RunWriter(folder) as run:
        run.event("start", step=0)
        for picture in pictures:
            run.event("grid", **picture)
        run.status("completed")
    return folder.name


def test_pictures_come_once() -> None:
    run = recorded(
        {"step": 1, "rows": [["q.weight", [[1, 0.5, 2.0]]]], "kinds": KINDS},
        {"step": 3, "rows": [["q.weight", [[1, 0.25, 1.0]]]]},
    )
    found = look_at_grid(run)
    assert found["again"]
    assert found["over"]
    assert found["kinds"] == [["q.weight", "attention", [0, 1]], ["norm.weight", "norm", []]]
    assert [picture["step"] for picture in found["pictures"]] == [1, 3]
    later = look_at_grid(run, began=found["began"], seen=1)
    assert not later["again"]
    assert later["kinds"] == found["kinds"]
    assert [picture["step"] for picture in later["pictures"]] == [3]
    with pytest.raises(RunError):
        look_at_grid("gone")


def test_damaged_pictures_are_passed_over() -> None:
    run = recorded(
        {"step": 1, "rows": [["q.weight", [["x", 0.5, 2.0]]]], "kinds": KINDS},
        {
            "step": 2,
            "rows": [["q.weight", [[1, 0.25, 1.0]]]],
            "kinds": [["a", "b", "9-x, 99999-1"]],
        },
    )
    found = look_at_grid(run)
    assert [picture["step"] for picture in found["pictures"]] == [2]
    assert found["kinds"] == [["a", "b", []]]


def test_the_report_shows_the_last_picture() -> None:
    run = recorded(
        {"step": 1, "rows": [["q.weight", [[1, 0.5, 2.0]]]], "kinds": KINDS},
        {"step": 3, "rows": [["q.weight", [[1, 0.25, 1.0]]]]},
    )
    from qwen_ui.paths import runs_folder  # noqa: PLC0415

    text = report([run], run_rows(runs_folder()))
    assert "update-to-weight ratios at step 3" in text
    assert 'title="q.weight, block 1: 0.25" style="background' in text
    assert 'title="q.weight, block 0: 0" class="still"' in text
