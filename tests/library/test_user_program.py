"""What a user writes in a program or a notebook, run as they would run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.paths import ASSETS

ROOT = ASSETS.parent
WRONG = """
import qwen_ui
plan: int = qwen_ui.preset("bitfit")
qwen_ui.train("nano", "bitfit")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program printed, run in a process of its own with a home of its own."""
    folder = tmp_path_factory.mktemp("program")
    held_out = folder / "eval.txt"
    text = (ASSETS / "data" / "kjv-eval.txt").read_text(encoding="utf-8")
    held_out.write_text(text[:4000], encoding="utf-8")
    data = str(ASSETS / "data" / "kjv-train.txt")
    command = [sys.executable, "-m", "tests.helpers.user_program", data, str(held_out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QWEN_UI_HOME", str(folder / "home"))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_training_returns_when_it_is_over(told: dict[str, Any]) -> None:
    assert told["status"] == "completed"
    assert told["steps"] == len(told["losses"]) == 3
    assert told["delta"]
    assert told["stopped"] == "stopped"
    assert told["runs"] == 4


@pytest.mark.slow
def test_a_comparison_has_its_verdict(told: dict[str, Any]) -> None:
    assert told["compared"] == ["completed", "completed"]
    assert "nats per token" in told["verdict"]
    assert len(told["top"]) == 4


@pytest.mark.slow
def test_a_mistake_is_a_sentence(told: dict[str, Any]) -> None:
    assert told["refused"].startswith("'nothing of this name' is neither a preset")


@pytest.mark.slow
def test_everything_shows_itself_without_the_pages(told: dict[str, Any]) -> None:
    assert told["imported"] == []
    anatomy, selection, cost, run, compared, ranking, runs = told["views"]
    assert "<td>self_attn.q_proj.bias</td>" in anatomy
    assert f"{told['trainable']:,}" in selection
    assert '<path d="M' in selection
    assert "Peak bytes" in cost
    for with_chart in (run, compared):
        assert "Loss by step" in with_chart
    assert "completed" in runs
    assert "highest" in ranking
    for html in told["views"]:
        assert "<script" not in html
        assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.long
def test_types_reach_the_user(tmp_path: Path) -> None:
    """Without a warm cache mypy reads all of torch: a minute. `make lint` checks the program."""
    file = tmp_path / "wrong.py"
    file.write_text(WRONG, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "wrong.py" in line]
    assert len(found) == 2, done.stdout + done.stderr
    assert 'expression has type "FreezePlan", variable has type "int"' in found[0]
    assert 'Missing positional argument "data"' in found[1]


def test_importing_the_package_is_quick() -> None:
    code = (
        "import time; begin = time.process_time(); import qwen_ui; qwen_ui.UserError;"
        "print(time.process_time() - begin)"
    )
    command = [sys.executable, "-c", code]
    took = [
        float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(took) < 0.3
