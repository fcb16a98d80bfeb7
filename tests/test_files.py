"""Files written as a whole, whatever happens between; locks that end with their holder."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from qwen_ui.errors import UserError
from qwen_ui.files import locked, read_json, replace_text, replaced, write_json

SPAWN = multiprocessing.get_context("spawn")
WRITER = """
import sys
from pathlib import Path
from qwen_ui.files import replaced
with replaced(Path(sys.argv[1])) as part:
    part.write_text("new")
    print("written", flush=True)
    sys.stdin.read()
"""
HOLDER = """
import os, sys
from pathlib import Path
from qwen_ui.errors import UserError
from qwen_ui.files import locked
with locked(Path(sys.argv[1])) as held:
    print("held", flush=True)
    sys.stdin.read()
    if sys.argv[2] == "exit":
        os._exit(3)
"""


@contextmanager
def python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs this code, from when it has printed a line; killed at the end."""
    command = [sys.executable, "-c", code, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_json_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Ünï", "steps": 3})
    assert read_json(tmp_path / "a.json") == {"name": "Ünï", "steps": 3}
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("content", ["", "{ torn", "[1]", "null"])
def test_what_is_no_object_reads_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    assert read_json(tmp_path / "a.json") == {}
    assert read_json(tmp_path / "absent.json") == {}
    assert read_json(tmp_path / "a.json" / "below.json") == {}


def test_an_error_while_writing_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    replace_text(file, "old")

    def interrupted() -> None:
        with replaced(file) as part:
            part.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_kill_between_writing_and_replacing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    replace_text(file, "old")
    with python(WRITER, str(file)) as process:
        process.kill()
        process.wait()
    assert file.read_text() == "old"
    replace_text(file, "newer")
    assert file.read_text() == "newer"


def _fill(file: Path) -> None:
    """Write more than this process may, as on a full disk; exits with 1 where that is told."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        replace_text(file, "n" * 100_000)
    except OSError:
        sys.exit(1)


def test_a_disk_that_takes_no_more_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    replace_text(file, "old")
    process = SPAWN.Process(target=_fill, args=(file,))
    process.start()
    process.join()
    assert process.exitcode == 1
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def _write_often(file: Path, letter: str) -> None:
    for _ in range(300):
        write_json(file, {"text": letter * 20_000})


def test_a_reader_beside_two_writers_sees_whole_files_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"text": "a" * 20_000})
    writers = [SPAWN.Process(target=_write_often, args=(file, letter)) for letter in "bc"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        text = json.loads(file.read_text())["text"]
        assert text == text[0] * 20_000
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_a_lock_ends_with_its_process_however_it_ends(tmp_path: Path, end: str) -> None:
    file = tmp_path / "lock"
    with python(HOLDER, str(file), end) as process:
        with locked(file, wait=0) as held:
            assert not held
        if end == "kill":
            process.kill()
        else:
            assert process.stdin is not None
            process.stdin.close()
        process.wait()
        with locked(file, wait=0) as held:
            assert held
    assert file.exists()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with python(HOLDER, str(file), "end") as process:
        assert process.stdin is not None
        got: list[bool] = []

        def wait() -> None:
            with locked(file) as held:
                got.append(held)

        waiter = threading.Thread(target=wait)
        waiter.start()
        with locked(file, wait=0.1) as held:
            assert not held
        assert not got
        process.stdin.close()
        waiter.join()
        assert got == [True]


def _count_up(lock: Path, counter: Path, times: int) -> None:
    for _ in range(times):
        with locked(lock):
            # Not atomic: without the lock, two of these lose counts.
            counter.write_text(str(int(counter.read_text()) + 1))


def test_threads_and_processes_exclude_each_other(tmp_path: Path) -> None:
    lock, counter = tmp_path / "lock", tmp_path / "counter"
    counter.write_text("0")
    work = (lock, counter, 25)
    both = [SPAWN.Process(target=_count_up, args=work) for _ in range(2)]
    threads = [threading.Thread(target=_count_up, args=work) for _ in range(2)]
    workers: list[BaseProcess | threading.Thread] = [*both, *threads]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert counter.read_text() == "100"


def test_a_disk_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match="has no locks"), locked(tmp_path / "lock"):
        pass
