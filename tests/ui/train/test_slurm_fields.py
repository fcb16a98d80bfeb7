"""Where a run is launched: here, or as a job of Slurm's."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.runs import make_spec, run_names
from qwen_ui.ui.train.slurm_fields import DEFAULT_PARTITION, HERE, SLURM, request_of
from qwen_ui.workers import SlurmRequest
from qwen_ui.workers.slurm import job_options
from qwen_ui.workers.slurm_runs import fitted


def test_a_run_that_is_launched_here_asks_nothing_of_slurm() -> None:
    assert request_of(HERE, "", None, None, None) is None


def test_the_fields_are_a_request() -> None:
    assert request_of(SLURM, DEFAULT_PARTITION, 2, None, 1.5) == SlurmRequest("", 2, 0, 90)
    assert request_of(SLURM, " gpu-long ", 0, 8, 24) == SlurmRequest("gpu-long", 0, 8, 1440)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("low", None, 0, 1), "is empty"),
        (("low; rm -rf ~", 1, 0, 1), "not a valid partition"),
        (("--wrap=x", 1, 0, 1), "not a valid partition"),
        (("low", -1, 0, 1), "GPUs cannot be asked for"),
        (("low", 1, 10_000, 1), "cores cannot be asked for"),
        (("low", 1, 0, 0), "out of its range"),
        (("low", 1, 0, 9_999), "out of its range"),
    ],
)
def test_a_mistake_is_told(fields: tuple[str, float | None, float, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        request_of(SLURM, *fields)


def test_a_job_is_told_of_its_time_limit_where_there_is_time() -> None:
    assert "--signal=B:TERM@120" in job_options(SlurmRequest(minutes=60), "x")
    assert not [o for o in job_options(SlurmRequest(minutes=3), "x") if "signal" in o]


def test_a_run_has_a_process_a_gpu_and_no_other_device() -> None:
    spec = make_spec(model="nano", plan={}, data="x")
    two = fitted(spec, SlurmRequest(gpus=2)).resources
    assert (two.device, two.processes) == ("cuda", 2)
    assert fitted(spec, SlurmRequest(gpus=0)).resources.device == "cpu"
    with pytest.raises(SettingsError, match="'cpu' and 2 GPUs"):
        fitted(spec.changed(device="cpu"), SlurmRequest(gpus=2))


def test_without_slurm_nothing_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="no Slurm on this machine"):
        workers.start(make_spec(model="nano", plan={}, data="x"), SlurmRequest())
    assert run_names() == []
