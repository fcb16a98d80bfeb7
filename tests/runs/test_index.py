"""The index: as true as the folders, and built again whenever it is not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from qwen_ui.errors import RunError
from qwen_ui.paths import runs_folder
from qwen_ui.runs import RunWriter, annotate, create_run, delete_run, index, runs_csv
from qwen_ui.runs.side_by_side import best_of, differences, overlay


def finished(name: str, loss: float, **spec: object) -> Path:
    given = {"model": "nano", "steps": 2, "data": "/data/x.txt", "learning_rate": 1e-3, **spec}
    folder = create_run(given, {"name": name, "rules": [{"preset": name}]})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=2, trainable_parameters=8)
        run.event("eval", step=0, loss=6.0)
        for step in (1, 2):
            run.event("step", step=step, loss=loss + 1 / step, tokens=step * 8, elapsed=step * 0.5)
        run.event("eval", step=2, loss=loss)
        run.event("end", status="completed")
        run.status("completed", step=2)
    return folder


def test_a_record_says_what_a_list_shows() -> None:
    finished("bitfit", 3.0)
    (record,) = index.glances(runs_folder())
    expected = {"status": "completed", "step": 2, "steps": 2, "loss": 3.5, "eval_before": 6.0}
    expected |= {"eval_after": 3.0, "plan": "bitfit", "model": "nano", "data": "x.txt"}
    assert expected.items() <= record.items()


def test_what_changes_in_a_folder_changes_in_the_list() -> None:
    folder = create_run({"model": "nano", "steps": 9}, {"name": "a"})
    with RunWriter(folder) as run:
        for step in range(1, 4):
            run.event("step", step=step, loss=1.0 / step)
            (record,) = index.glances(runs_folder())
            assert (record["step"], record["status"]) == (step, "running")
        run.status("completed")
    annotate(folder.name, name="mine", tags=["a", "a", " b "], note="n")
    (record,) = index.glances(runs_folder())
    assert (record["status"], record["name"], record["tags"]) == ("completed", "mine", ["a", "b"])
    delete_run(folder.name)
    assert index.glances(runs_folder()) == []


@pytest.mark.parametrize("damage", ["missing", "garbage", "old"])
def test_a_damaged_index_is_built_again(damage: str) -> None:
    finished("bitfit", 3.0)
    before = index.glances(runs_folder())
    file = runs_folder() / index.INDEX
    if damage == "missing":
        file.unlink()
    elif damage == "garbage":
        file.write_bytes(b"no database" * 1000)
    else:
        with index._open(runs_folder()) as connection:
            connection.execute("PRAGMA user_version=0")
            connection.execute("UPDATE runs SET record = '{}'")
    assert index.glances(runs_folder()) == before


def test_events_are_read_on_and_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create_run({"model": "nano", "steps": 9}, {"name": "a"})
    offsets: list[int] = []
    real = index.read_events
    monkeypatch.setattr(index, "read_events", lambda f, o: offsets.append(o) or real(f, o))
    with RunWriter(folder) as run:
        for step in (1, 2, 3):
            run.event("step", step=step, loss=1.0)
            index.glances(runs_folder())
    assert offsets[0] == 0 or offsets[0] < offsets[1]
    assert offsets == sorted(set(offsets))


def test_differences_are_only_what_differs() -> None:
    a = finished("bitfit", 3.0).name
    b = finished("attention", 4.0, learning_rate=1e-2).name
    found = {row["setting"]: row["values"] for row in differences([a, b])}
    assert found["learning_rate"] == ["0.001", "0.01"]
    assert found["plan.name"] == ["bitfit", "attention"]
    assert "model" not in found
    assert differences([a, a]) == []


def test_the_best_has_the_lowest_evaluation() -> None:
    finished("attention", 4.0)
    best = finished("bitfit", 3.0).name
    create_run({"model": "nano", "steps": 9}, {"name": "a"})
    assert best_of(index.glances(runs_folder())) == best
    assert best_of([]) is None


def test_an_overlay_draws_each_run_along_the_axis() -> None:
    a, b = finished("bitfit", 3.0).name, finished("attention", 4.0).name
    found = overlay([a, b], axis="tokens")
    assert [run["run"] for run in found] == [a, b]
    assert found[0]["lines"]["loss"] == ([8, 16], [4.0, 3.5])
    assert found[0]["lines"]["eval"] == ([0, 16], [6.0, 3.0])
    with pytest.raises(RunError):
        overlay(["../x"])


def test_one_csv_holds_several_runs() -> None:
    a, b = finished("bitfit", 3.0).name, finished("attention", 4.0).name
    head, *rows = runs_csv([a, b]).splitlines()
    assert head.startswith("run,step")
    assert {row.split(",")[0] for row in rows} == {a, b}
    assert len(rows) == 8


def test_a_report_holds_its_library_and_escapes_what_is_shown() -> None:
    from qwen_ui.ui.runs.report import report  # noqa: PLC0415 (imports gradio)

    folder = finished("bitfit", 3.0)
    annotate(folder.name, name="<script>alert(1)</script>")
    with RunWriter(folder) as run:
        run.event("sample", step=0, prompt="</script><b>", text="<i>")
        run.status("completed")
    text = report([folder.name], index.glances(runs_folder()))
    assert "alert(1)</script>" not in text
    assert "&lt;i&gt;" in text
    assert "Plotly" in text
    assert "http://127" not in text
    data = text.split("const RUNS = ")[1].split(";\n")[0]
    assert json.loads(data)[0]["lines"]["eval"] == [[0, 2], [6.0, 3.0]]


def test_a_reset_clock_does_not_hide_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished("bitfit", 3.0)
    index.glances(runs_folder())
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with RunWriter(folder) as run:
        run.event("step", step=3, loss=9.0)
        run.status("completed")
    assert index.glances(runs_folder())[0]["loss"] == 9.0
