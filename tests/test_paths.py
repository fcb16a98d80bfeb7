"""How a process of ours finds the package, and what must not come in its way."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from qwen_ui import paths
from qwen_ui.errors import DataError
from qwen_ui.limited import Limits, TaskServer
from qwen_ui.workers import child_environment


def test_children_find_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/others")
    assert paths.python_path().split(os.pathsep) == [str(paths.PACKAGE.parent), "/others"]


@pytest.mark.parametrize("folder", [sysconfig.get_path("purelib"), site.getusersitepackages()])
def test_an_installation_does_not_go_before_the_standard_library(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "PACKAGE", Path(folder).resolve() / "qwen_ui")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert child_environment()["PYTHONPATH"] == ""
    standard = [sys.executable, "-c", "import random; print(random.__file__)"]
    done = subprocess.run(
        standard, env=child_environment(), capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).parent == Path(sysconfig.get_path("stdlib"))


def test_modules_in_the_folder_of_the_start_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random", "orjson", "qwen_ui"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of a person was run')")
    monkeypatch.chdir(tmp_path)
    worker = [sys.executable, "-m", "qwen_ui.workers.worker", str(tmp_path / "no-run")]
    done = subprocess.run(worker, env=child_environment(), capture_output=True, text=True)
    assert "a file of a person was run" not in done.stderr
    server = TaskServer("tests.helpers.hostile_tasks")
    limits = Limits(seconds=5.0, memory=1024**3, patience=60.0)
    try:
        assert (
            server.run("tests.helpers.hostile_tasks:add", {"a": 1, "b": 2}, limits, DataError) == 3
        )
    finally:
        server.stop()
