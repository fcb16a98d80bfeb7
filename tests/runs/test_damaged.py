"""Whatever stands in the files of one run, every other run is listed, shown and looked after."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_ui import workers
from qwen_ui.compare import rows_of
from qwen_ui.errors import UserError
from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    RunWriter,
    Status,
    annotation_of,
    create_run,
    delete_run,
    list_runs,
    note_launch,
    open_folders,
    read_held_out,
    recorded_settings,
    run_curves,
    run_names,
    run_rows,
    run_summary,
    runs_csv,
    setting_differences,
    status_of,
    write_status,
)
from qwen_ui.ui.page.run_actions import csv, log
from qwen_ui.ui.page.run_actions import settings as run_settings
from qwen_ui.ui.page.run_view import poll
from qwen_ui.ui.runs.report import report
from qwen_ui.ui.runs.tab import listing
from qwen_ui.workers import queue
from qwen_ui.workers.supervisor import Supervisor

FILES = (
    *("spec.json", "plan.json", "environment.json", "events.jsonl", "status.json", "meta.json"),
    *("held_out.json", "process.json", "advice.json", "worker.log"),
)
KEYS = (
    *("status", "reason", "pid", "begun", "step", "steps", "created", "heartbeat", "name", "tags"),
    *("note", "rules", "model", "data", "learning_rate", "processes", "schema", "optimization"),
    *("tokens", "before", "after", "memory_kills", "event", "loss", "blocks", "message", "text"),
    *("elapsed", "seconds", "trainable_parameters", "end", "start", "eval", "movement", "plan"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [10**400, -(2**63), 2**64, 2**53 + 1, 1e308, -1e308, math.nan, math.inf, -0.0]
    )
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["\ud800", "queued", "running", "completed", "step", "start", "\0", "9" * 5000]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=12,
)
RECORDS = st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=8)
EVENTS = st.sampled_from(["start", "step", "eval", "sample", "movement", "log", "end", "other"])
LINES = st.lists(
    st.builds(lambda record, name: {**record, "event": name}, RECORDS, EVENTS), max_size=5
)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


CONTENTS = st.one_of(
    (VALUES | RECORDS).map(_encoded),
    LINES.map(lambda lines: b"".join(_encoded(line) + b"\n" for line in lines)),
    st.binary(max_size=40),
    st.sampled_from([b"[" * 5000, b'{"a":' * 900 + b"1" + b"}" * 900, b"\xff\xfe", b"", b"\n\n\n"]),
)


def finished(name: str) -> Path:
    folder = create_run({"model": "nano", "steps": 2}, {"name": name, "rules": [{"train": True}]})
    with RunWriter(folder) as run:
        run.event("start", step=0, trainable_parameters=10, total_parameters=20, learning_rate=0.1)
        run.event("eval", step=0, loss=3.0)
        run.event("step", step=1, loss=2.0, tokens=8, elapsed=1.0, seconds=1.0)
        run.event("end", status="completed", reason="", eval_loss_after=2.5)
        run.status("completed", steps=2, step=1)
    return folder


def asked_of(run: str) -> list[Callable[[], Any]]:
    """What the page and the command line ask of one run."""
    folder = runs_folder() / run
    return [
        lambda: poll(run),
        lambda: log(run),
        lambda: csv(run),
        lambda: run_settings(run),
        lambda: run_summary(folder),
        lambda: run_curves([run]),
        lambda: run_curves([run], axis="tokens"),
        lambda: setting_differences([run, run]),
        lambda: runs_csv([run]),
        lambda: report([run], [row for row in run_rows(runs_folder()) if row["run"] == run]),
        lambda: annotation_of(folder),
        lambda: read_held_out(folder),
        lambda: workers.worker_pid(folder),
        lambda: rows_of([run_summary(folder) | {"plan": "a", "seed": 0}]),
    ]


def assert_all_goes_on(good: str, bad: str) -> None:
    """The good run is in every list; what is asked of the bad one is answered, or refused."""
    for rows in (list_runs(), run_rows(runs_folder()), listing()["rows"]):
        found = {row["run"]: row for row in rows}
        orjson.dumps(rows)
        assert found[good]["status"] == "completed"
        assert found[good]["loss"] == 2.0
        assert bad in found
    assert [line["run"] for line in run_curves([good])] == [good]
    Supervisor().round()
    for ask in asked_of(bad):
        try:
            answer = ask()
        except UserError:
            continue
        if isinstance(answer, dict):
            orjson.dumps(answer)


@pytest.fixture
def nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that the queue would have started."""
    started: list[str] = []
    monkeypatch.setattr(queue, "spawn", lambda folder, gpus: started.append(folder.name))
    return started


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(FILES), content=CONTENTS)
def test_any_content_of_any_file(nothing_is_started: list[str], file: str, content: bytes) -> None:
    shutil.rmtree(runs_folder(), ignore_errors=True)
    good, bad = finished("good"), finished("bad")
    (bad / file).write_bytes(content)
    assert_all_goes_on(good.name, bad.name)


WRONG: dict[str, list[Any]] = {
    "spec.json": [{"model": ["nano"], "steps": 2}, {"model": "nano", "steps": {}}, [], "x"],
    "plan.json": [{"name": {"a": 1}, "rules": []}, {"name": "a", "rules": 5}, 7],
    "status.json": [{"status": 5}, {"status": "completed", "step": "x"}, {"status": ["queued"]}],
    "meta.json": [{"name": 5}, {"tags": "x"}, {"tags": [1]}, {"note": []}, []],
    "held_out.json": [{"tokens": [0], "before": [1], "after": [1]}, {"tokens": 5}],
    "process.json": [{"pid": "x", "begun": "y"}, {"pid": 10**18, "begun": "y"}, 5],
    "environment.json": [5],
    "events.jsonl": [{"event": "start", "step": "x"}, {"event": "end", "eval_loss_after": "y"}, 5],
}


@pytest.mark.parametrize(
    ("file", "value"), [(file, value) for file, values in WRONG.items() for value in values]
)
def test_a_list_says_which_file_is_damaged(file: str, value: Any) -> None:
    good, bad = finished("good"), finished("bad")
    (bad / file).write_text(json.dumps(value) + "\n")
    rows = {row["run"]: row for row in list_runs()}
    assert rows[good.name]["status"] == "completed"
    assert rows[bad.name]["status"] == "damaged"
    assert rows[bad.name]["reason"].startswith(f"Damaged: {file}.")


@pytest.mark.parametrize("file", ["spec.json", "status.json"])
def test_a_missing_file_is_damage_and_the_run_can_be_deleted(file: str) -> None:
    good, bad = finished("good"), finished("bad")
    (bad / file).unlink()
    assert {row["run"]: row["status"] for row in list_runs()}[bad.name] == "damaged"
    delete_run(bad.name)
    assert run_names() == [good.name]


def test_a_folder_or_a_pipe_in_the_place_of_a_file() -> None:
    good, bad, worse = finished("good"), finished("bad"), finished("worse")
    for file in FILES:
        (bad / file).unlink(missing_ok=True)
        (bad / file).mkdir()
    (worse / "status.json").unlink()
    os.mkfifo(worse / "status.json")
    assert_all_goes_on(good.name, bad.name)
    assert_all_goes_on(good.name, worse.name)


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from qwen_ui.runs import index  # noqa: PLC0415

    good, bad = finished("good"), finished("bad")
    read = recorded_settings

    def refused(folder: Path) -> dict[str, Any]:
        if folder == bad:
            raise PermissionError(13, "Permission denied", str(folder / "spec.json"))
        return read(folder)

    monkeypatch.setattr(index, "recorded_settings", refused)
    rows = {row["run"]: row for row in run_rows(runs_folder())}
    assert rows[good.name]["status"] == "completed"
    assert rows[bad.name]["status"] == "damaged"
    assert "spec.json" in rows[bad.name]["reason"]


def test_a_link_is_no_run_and_its_deletion_keeps_what_it_leads_to(tmp_path: Path) -> None:
    good, elsewhere = finished("good"), finished("bad")
    target = tmp_path / "elsewhere"
    elsewhere.rename(target)
    elsewhere.symlink_to(target)
    (runs_folder() / "20260101-000000-a-file").write_text("no folder")
    assert run_names() == [good.name]
    assert [row["run"] for row in list_runs()] == [good.name]
    assert open_folders() == []
    with pytest.raises(UserError, match="no run"):
        poll(elsewhere.name)
    delete_run(elsewhere.name)
    assert not elsewhere.is_symlink()
    assert (target / "events.jsonl").is_file()


def test_links_within_a_run_are_deleted_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "precious").write_text("x")
    folder = finished("good")
    (folder / "checkpoints").symlink_to(kept)
    delete_run(folder.name)
    assert (kept / "precious").read_text() == "x"


def queued(name: str, spec: dict[str, Any]) -> Path:
    return create_run(spec, {"name": name, "rules": []})


def test_a_run_that_cannot_be_started_holds_up_none_behind_it(
    nothing_is_started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = queued("bad", {"model": "nano"}), queued("good", {"model": "nano"})
    write_status(bad, Status(created=1.0))
    write_status(good, Status(created=2.0))
    started: list[str] = []

    def spawn(folder: Path, gpus: object) -> None:
        if folder == bad:
            raise UserError("its settings are damaged")
        started.append(folder.name)

    monkeypatch.setattr(queue, "spawn", spawn)
    Supervisor().round()
    assert started == [good.name]
    assert (status_of(bad).status, status_of(bad).reason) == ("failed", "its settings are damaged")


def test_a_full_disk_at_a_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = queued("good", {"model": "nano"})

    def spawn(folder: Path, gpus: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(queue, "spawn", spawn)
    Supervisor().round()
    assert status_of(folder).status == "queued"


def test_a_fault_in_one_run_ends_no_round(
    nothing_is_started: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from qwen_ui.workers import supervisor  # noqa: PLC0415

    bad, good = finished("bad"), queued("good", {"model": "nano"})
    status = status_of

    def broken(folder: Path) -> Status:
        if folder == bad:
            raise KeyError("a bug of ours")
        return status(folder)

    monkeypatch.setattr(supervisor, "status_of", broken)
    keeper = Supervisor()
    keeper.round()
    keeper.round()
    assert good.name in nothing_is_started
    assert "a bug of ours" in caplog.text
    monkeypatch.setattr(supervisor, "is_busy", broken)
    keeper._busy = [bad]
    assert not keeper._has_ended()


def test_a_damaged_note_of_a_launch_is_no_living_process() -> None:
    folder = queued("bad", {"model": "nano"})
    note_launch(folder, os.getpid())
    assert status_of(folder).status == "queued"
    (folder / "process.json").write_text('{"pid": "x"}')
    assert status_of(folder).status == "interrupted"


def test_the_command_line_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    from qwen_ui.cli.runs import runs  # noqa: PLC0415

    good, bad = finished("good"), finished("bad")
    (bad / "status.json").write_text('{"status": {}}')
    runs(as_json=True)
    found = {row["run"]: row["status"] for row in json.loads(capsys.readouterr().out)["runs"]}
    assert found == {good.name: "completed", bad.name: "damaged"}
