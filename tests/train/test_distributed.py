from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from qwen_ui.errors import SettingsError
from qwen_ui.train.distributed import accelerate_config, launch_command, slurm_script
from qwen_ui.train.runs import create_run, summary
from qwen_ui.train.spec import make_spec
from tests.train.runs_of import events_of, losses_of, spec_for, train

REPOSITORY = Path(__file__).resolve().parents[2]


def spec_of(**values):
    return make_spec(model="nano", plan={}, data="x", **values)


def run_together(spec) -> Path:
    folder = create_run(spec.model_dump(mode="json"), spec.plan)
    launch = launch_command(spec, folder)
    paths = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **launch.environment, **paths}
    subprocess.run(launch.command, env=environment, check=False, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("prefix_cache", ["auto", "off"])
def test_two_processes_give_the_losses_of_one_with_the_double_batch(tiny, sentences, prefix_cache):
    together = run_together(
        spec_for(tiny, sentences, batch_size=2, processes=2, prefix_cache=prefix_cache)
    )
    alone = train(spec_for(tiny, sentences, batch_size=4, prefix_cache=prefix_cache))
    assert events_of(together, "start")[0]["processes"] == 2
    assert losses_of(together) == pytest.approx(losses_of(alone), rel=1e-5)
    told, expected = summary(together), summary(alone)
    assert told["status"] == "completed"
    assert told["eval_loss_after"] == pytest.approx(expected["eval_loss_after"], rel=1e-5)


def test_one_process_needs_no_launcher(tmp_path):
    launch = launch_command(spec_of(), tmp_path)
    assert launch.command[1:] == ("-m", "qwen_ui.train.worker", str(tmp_path))


def test_processes_on_a_cpu_are_started_by_torchrun(tmp_path):
    launch = launch_command(spec_of(processes=4), tmp_path)
    assert "--standalone" in launch.command
    assert launch.environment == {"ACCELERATE_USE_CPU": "true"}
    assert launch.line.startswith("ACCELERATE_USE_CPU=true ")


def test_processes_that_cannot_be_shared_out_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="3 processes cannot be shared out over 2 nodes"):
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
