from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch
import yaml

from qwen_ui.engine.delta import read_delta
from qwen_ui.errors import SettingsError
from qwen_ui.runs import make_spec, run_folder, run_summary
from qwen_ui.workers.devices import Devices
from qwen_ui.workers.launch import start, wait
from qwen_ui.workers.launch_command import accelerate_config, launch_command, slurm_script
from tests.helpers.runs import events_of, losses_of, spec_for, train

REPOSITORY = Path(__file__).resolve().parents[2]


def spec_of(**values):
    return make_spec(model="nano", plan={}, data="x", **values)


def run_together(spec) -> Path:
    return run_folder(wait(start(spec))["run"])


def work_together(spec, folder) -> None:
    launch = launch_command(spec, folder)
    paths = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **launch.environment, **paths}
    # A deadlock of two processes would hang for ever.
    subprocess.run(launch.command, env=environment, check=False, capture_output=True, timeout=240)


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
def test_only_processes_that_can_run_are_offered(devices, choices):
    assert devices.process_choices == choices


@pytest.mark.slow
@pytest.mark.parametrize("prefix_cache", ["auto", "off"])
def test_two_processes_give_the_losses_of_one_with_the_double_batch(tiny, sentences, prefix_cache):
    spec = spec_for(tiny, sentences, batch_size=2, processes=2, prefix_cache=prefix_cache)
    together = run_folder(wait(start(spec))["run"])
    alone = train(spec_for(tiny, sentences, batch_size=4, prefix_cache=prefix_cache))
    assert events_of(together, "start")[0]["processes"] == 2
    assert losses_of(together) == pytest.approx(losses_of(alone), rel=1e-5)
    told, expected = run_summary(together), run_summary(alone)
    assert told["status"] == "completed"
    assert told["eval_loss_after"] == pytest.approx(expected["eval_loss_after"], rel=1e-5)


def test_one_process_needs_no_launcher(tmp_path):
    launch = launch_command(spec_of(), tmp_path)
    assert launch.command[1:] == ("-m", "qwen_ui.workers.worker", str(tmp_path))


def test_processes_on_a_cpu_are_started_by_torchrun(tmp_path):
    launch = launch_command(spec_of(processes=4, threads=3), tmp_path)
    assert "--standalone" in launch.command
    assert launch.environment == {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "3"}
    assert launch.line.startswith("ACCELERATE_USE_CPU=true ")


def test_processes_that_cannot_be_shared_out_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="3 processes cannot be divided over 2 nodes"):
        launch_command(spec_of(processes=3), tmp_path, nodes=2)


@pytest.mark.parametrize("sharded", [False, True])
def test_accelerate_takes_the_file_that_is_written(tmp_path, sharded):
    from accelerate.commands.config.config_args import load_config_from_file  # noqa: PLC0415

    text = accelerate_config(spec_of(processes=4, sharded=sharded), device="cuda")
    file = tmp_path / "config.yaml"
    file.write_text(text)
    loaded = load_config_from_file(str(file))
    assert loaded.num_processes == 4
    assert loaded.distributed_type == ("FSDP" if sharded else "MULTI_GPU")
    assert yaml.safe_load(text)["mixed_precision"] == "no"


def test_the_slurm_script_is_a_shell_script_that_parses(tmp_path):
    script = slurm_script(spec_of(processes=8), tmp_path / "run with space", nodes=2)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert "--gpus-per-node=4" in script
    assert "--nnodes 2" in script
    assert '"$HEAD_NODE:29500"' in script


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["attention", pytest.param("full", marks=pytest.mark.long)])
def test_shared_out_weights_give_the_losses_of_one_process(tiny, sentences, plan):
    values = {"eval_every": 3, "checkpoint_every": 4, "accumulation": 2}
    spec = spec_for(tiny, sentences, plan, batch_size=2, processes=2, sharded=True, **values)
    together = run_together(spec)
    alone = train(spec_for(tiny, sentences, plan, batch_size=4, **values))
    expected = losses_of(alone)
    assert losses_of(together) == pytest.approx(expected, rel=1e-5)
    told, alike = run_summary(together), run_summary(alone)
    assert told["status"] == "completed"
    assert told["prefix_blocks"] == alike["prefix_blocks"]
    assert told["eval_loss_after"] == pytest.approx(alike["eval_loss_after"], rel=1e-5)
    ours = read_delta(together / "delta.safetensors").tensors
    theirs = read_delta(alone / "delta.safetensors").tensors
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-5)
    if plan == "attention":
        work_together(spec, together)  # goes on from the checkpoint of step 4
        assert [event["step"] for event in events_of(together, "step")] == [1, 2, 3, 4, 5, 6, 5, 6]
        assert losses_of(together)[6:] == pytest.approx(expected[4:], rel=1e-5)
