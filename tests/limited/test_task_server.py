"""Whatever a task does, who asked gets an answer or a sentence, and the next task works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import DataError, UserError
from qwen_ui.limited import Limits, TaskServer
from qwen_ui.limited.client import LimitedProcessError
from qwen_ui.paths import ASSETS

LIMITS = Limits(seconds=0.5, memory=256 * 1024**2, patience=20.0)


@pytest.fixture(scope="module")
def server() -> Iterator[TaskServer]:
    found = TaskServer("tests.helpers.hostile_tasks")
    yield found
    found.stop()


def refusal(why: str) -> DataError:
    return DataError(f"Not read: {why}.")


def run(server: TaskServer, name: str, limits: Limits = LIMITS, **arguments: Any) -> Any:
    return server.run(f"tests.helpers.hostile_tasks:{name}", arguments, limits, refusal)


def test_a_task_is_answered(server: TaskServer) -> None:
    assert run(server, "add", a=1, b=2) == 3
    assert run(server, "print_and_warn") == "\udc80 and \n lines"


def test_a_persons_mistake_keeps_its_class_and_its_sentence(server: TaskServer) -> None:
    with pytest.raises(DataError, match="The file is empty"):
        run(server, "refuse")


def test_a_fault_of_ours_is_told_with_its_traceback(server: TaskServer) -> None:
    for name in ("fail", "not_json", "no_such_task"):
        with pytest.raises(LimitedProcessError, match=name):
            run(server, name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("count", "it took more than 0.5 s"),
        ("hold_the_interpreter", "it took more than 0.5 s"),
        ("fill_memory", "needs more than 268 MB of memory"),
        ("abort", "SIGABRT"),
        ("crash", "SIGSEGV"),
        ("leave", "exit code 1"),
        ("kill_itself", "SIGKILL"),
        ("say_too_much", "what was found in it takes 83.9 MB"),
    ],
)
def test_what_goes_too_far_ends_as_a_sentence(server: TaskServer, name: str, says: str) -> None:
    began = time.process_time()
    with pytest.raises(UserError, match=says):
        # Only what never ends is to run out of time, however busy the machine.
        run(server, name, LIMITS if "0.5 s" in says else replace(LIMITS, seconds=30.0))
    assert time.process_time() - began < 3
    assert run(server, "add", a=2, b=3) == 5


def test_what_waits_is_ended_too(server: TaskServer) -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match="took more than"):
        run(server, "sleep", Limits(seconds=5.0, memory=1 << 28, patience=0.3), seconds=60)
    assert time.monotonic() - began < 10


def test_folder_and_environment_are_those_of_now(
    server: TaskServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QWEN_UI_TEST", "now")
    assert run(server, "where")[:2] == [str(tmp_path), "now"]
    monkeypatch.delenv("QWEN_UI_TEST")
    assert run(server, "where")[1] is None


def test_tasks_run_beside_each_other_and_no_more_than_allowed() -> None:
    server = TaskServer("tests.helpers.hostile_tasks", at_once=2)
    try:
        run(server, "add", a=0, b=0)
        patient = Limits(seconds=5.0, memory=1 << 28, patience=20.0)
        began = time.monotonic()
        threads = [
            threading.Thread(target=run, args=(server, "sleep", patient), kwargs={"seconds": 1.0})
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        with pytest.raises(UserError, match="try again"):
            run(server, "add", Limits(seconds=1.0, memory=1 << 28, patience=0.2), a=0, b=0)
        for thread in threads:
            thread.join()
        assert 1.9 < time.monotonic() - began < 3.9
    finally:
        server.stop()


def test_a_killed_server_is_replaced(server: TaskServer) -> None:
    run(server, "add", a=0, b=0)
    assert server._server is not None
    server._server.kill()
    server._server.wait()
    assert run(server, "add", a=3, b=4) == 7


def test_no_server_outlives_its_process() -> None:
    code = (
        "from qwen_ui.model import match_names; from qwen_ui.limited import LIGHT\n"
        "match_names(['a'], ['a']); print(LIGHT._server.pid, flush=True)\n"
    )
    for end in ("", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code + end],
            cwd=ASSETS.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not done.stderr
        pid = int(done.stdout)
        deadline = time.monotonic() + 10
        while _runs(pid):
            assert time.monotonic() < deadline, "it still runs"
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What nobody reaps in a container without an init process has ended all the same.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
