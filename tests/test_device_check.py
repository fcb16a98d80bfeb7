"""The measurement for GPUs runs on a CPU: every part of it that needs no command of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = "machine,build,steps,trainer,proof,head,ragged,profiled"


@pytest.mark.slow
def test_it_runs_dry(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.device_check", "--dry"]
    command += ["--out", str(tmp_path), "--parts", PARTS, "--seconds", "900"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = (tmp_path / "figures.jsonl").read_text().splitlines()
    figures = [json.loads(line) for line in lines]
    assert [f["value"] for f in figures if f["figure"] == "part"] == PARTS.split(",")
    assert not [f for f in figures if f["figure"] in {"failed", "left_out", "verify"}]
    proofs = [f["value"] for f in figures if f["figure"] == "proof"]
    assert proofs == [True, True]
    (apart,) = (f["value"] for f in figures if f["figure"] == "losses_cached_against_not")
    assert apart < 1e-5
