"""The commands and files that start several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file

from qwen_ui.errors import SettingsError
from qwen_ui.runs import RunSpec, make_spec
from qwen_ui.workers.devices import Devices
from qwen_ui.workers.launch_command import accelerate_config, launch_command, slurm_script


def spec_of(**settings: Any) -> RunSpec:
    return make_spec(model="nano", plan={}, data="x", **settings)


@pytest.mark.parametrize(
    ("devices", "choices"),
    [
        (Devices("cpu", ("2 cores",), 2), (1, 2)),
        (Devices("cpu", ("6 cores",), 6), (1, 2, 4, 6)),
        (Devices("cuda", ("A",) * 8, 64), (1, 2, 4, 8)),
        (Devices("cuda", ("A",), 64), (1,)),
        (Devices("mps", ("Apple",), 8), (1,)),
    ],
)
def test_only_processes_that_can_run_are_offered(
    devices: Devices, choices: tuple[int, ...]
) -> None:
    assert devices.process_choices == choices


def test_one_process_needs_no_launcher(tmp_path: Path) -> None:
    launch = launch_command(spec_of(), tmp_path)
    assert launch.command[1:] == ("-m", "qwen_ui.workers.worker", str(tmp_path))


def test_processes_on_a_cpu_are_started_by_torchrun(tmp_path: Path) -> None:
    launch = launch_command(spec_of(processes=4, threads=3), tmp_path)
    assert "--standalone" in launch.command
    assert launch.environment == {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "3"}
    assert launch.line.startswith("ACCELERATE_USE_CPU=true ")


def test_processes_that_cannot_be_divided_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="3 processes cannot be divided over 2 nodes"):
        launch_command(spec_of(processes=3), tmp_path, nodes=2)


@pytest.mark.parametrize("sharded", [False, True])
def test_accelerate_takes_the_file_that_is_written(tmp_path: Path, sharded: bool) -> None:
    text = accelerate_config(spec_of(processes=4, sharded=sharded), device="cuda")
    file = tmp_path / "config.yaml"
    file.write_text(text)
    loaded = load_config_from_file(str(file))
    assert loaded.num_processes == 4
    assert loaded.distributed_type == ("FSDP" if sharded else "MULTI_GPU")
    assert yaml.safe_load(text)["mixed_precision"] == "no"


def test_the_slurm_script_is_a_shell_script_that_parses(tmp_path: Path) -> None:
    script = slurm_script(spec_of(processes=8), tmp_path / "run with space", nodes=2)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert "--gpus-per-node=4" in script
    assert "--nnodes 2" in script
    assert '"$HEAD_NODE:29500"' in script


def test_the_script_for_one_machine_meets_nobody_and_logs_where_the_page_looks(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "100 %"
    one = slurm_script(spec_of(processes=1), folder, nodes=1)
    assert f"srun {sys.executable} -m qwen_ui.workers.worker" in one
    assert "/100 %%/worker.log" in one
    cpu = slurm_script(spec_of(processes=2, device="cpu"), folder, nodes=1)
    assert "srun env ACCELERATE_USE_CPU=true" in cpu
    assert "--standalone" in cpu
    assert "gpus-per-node" not in cpu
