"""Runs that Slurm places: handed over, looked at, ended. All nodes have to see their folder."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from qwen_ui.errors import RunError, SettingsError
from qwen_ui.runs import (
    Placement,
    RunSpec,
    create_run,
    read_spec,
    recorded_placement,
    recorded_settings,
    recorded_status,
    run_lock,
    status_of,
    write_placement,
    write_status,
)
from qwen_ui.workers import processes
from qwen_ui.workers.launch_command import Launch, launch_command
from qwen_ui.workers.slurm import (
    SlurmRequest,
    cancel,
    has_slurm,
    job_options,
    job_states,
    submit,
)

SCRIPT = "job.sh"


def start_on_slurm(spec: RunSpec, request: SlurmRequest) -> str:
    """Make a run of this spec and hand it to Slurm.

    Returns:
        The run's name.

    Raises:
        SettingsError: the device and the GPUs asked for contradict each other.
        RunError: there is no Slurm here, or it does not take the job; no run is left then.
    """
    if not has_slurm():
        raise RunError("There is no Slurm on this machine (no `sbatch`). Launch without it.")
    spec = fitted(spec, request)
    placement = Placement(**asdict(request), asked=time.time())
    folder = create_run(spec.to_dict(), spec.plan, placement=placement)
    try:
        hand_over(folder, placement)
    except RunError:
        shutil.rmtree(folder)
        raise
    return folder.name


def fitted(spec: RunSpec, request: SlurmRequest) -> RunSpec:
    """The spec with as many processes as GPUs are asked for, on the device that there will be.

    Raises:
        SettingsError: it names a device that the job will not have.
    """
    device = spec.resources.device
    wanted = "cuda" if request.gpus else "cpu"
    if device not in ("auto", wanted):
        raise SettingsError(
            f"The device is '{device}' and {request.gpus} GPUs are asked of Slurm. Choose auto, or "
            f"{'no GPU' if request.gpus else 'a GPU or more'}."
        )
    # Without it a node whose driver is broken would train on its processors, for hours.
    return spec.changed(device=wanted, processes=request.gpus or spec.resources.processes)


def hand_over(folder: Path, placement: Placement) -> None:
    """Submit the job of this run, and note its number.

    Raises:
        RunError: Slurm does not take it.
    """
    request = request_of(placement)
    script = folder / SCRIPT
    script.write_text(job_script(folder, request), encoding="utf-8")
    job = submit(script, processes.child_environment())
    write_placement(folder, replace(placement, job=job))


def request_of(placement: Placement) -> SlurmRequest:
    """What was asked of Slurm for this run."""
    p = placement
    return SlurmRequest(partition=p.partition, gpus=p.gpus, cpus=p.cpus, minutes=p.minutes)


def submit_again(folder: Path) -> None:
    """Hand a run that is over to Slurm once more, as it was asked for at first.

    Raises:
        RunError: Slurm does not take it; the run is as it was.
    """
    placement, status = recorded_placement(folder), status_of(folder)
    assert placement is not None
    write_placement(folder, placement.anew())
    write_status(folder, replace(status, status="queued", reason=""))
    try:
        hand_over(folder, placement.anew())
    except RunError:
        write_placement(folder, placement)
        write_status(folder, status)
        raise


def settle(folder: Path) -> None:
    """Record how a run ended whose worker could not say so: Slurm forgets its job."""
    with run_lock(folder) as held:
        status = status_of(folder)
        # A worker that holds the lock has lost its node and writes no more.
        if held and status.over and not recorded_status(folder).over:
            write_status(folder, status)


def job_script(folder: Path, request: SlurmRequest) -> str:
    """What Slurm runs. The worker takes the shell's place, so that Slurm's signals reach it."""
    if recorded_settings(folder).get("processes", 1) == 1:
        launch = Launch((sys.executable, "-m", processes.WORKER, str(folder)), {})
    else:
        spec = read_spec(folder)
        launch = launch_command(spec, folder, device=spec.resources.device)
    options = [f"#SBATCH {option}" for option in job_options(request, f"qwen-ui-{folder.name}")]
    named = [f"export {key}={shlex.quote(value)}" for key, value in launch.environment.items()]
    return "\n".join(["#!/bin/bash", *options, *named, f"exec {shlex.join(launch.command)}", ""])


def look_at_jobs(folders: Iterable[Path]) -> None:
    """Ask Slurm about the jobs of these runs, in one question, and note what it says."""
    placed = {folder: found for folder in folders if (found := recorded_placement(folder))}
    asked = {folder: p for folder, p in placed.items() if p.job and not p.over}
    if not asked:
        return
    states = job_states(placement.job for placement in asked.values())
    for folder, placement in asked.items():
        if states is None:
            found = replace(placement, answered=False)
        elif (said := states.get(placement.job)) is None:
            found = placement.forgotten()
        else:
            found = replace(
                placement,
                state=said.state,
                reason=said.reason,
                node=said.node or placement.node,
                restarts=said.restarts,
                answered=True,
            )
        # It may have been submitted anew while Slurm was asked.
        now = recorded_placement(folder)
        if found != placement and now is not None and now.job == placement.job:
            write_placement(folder, found)


def is_placed(folder: Path) -> bool:
    """Whether this run is Slurm's, so that no process of this machine is looked for."""
    return recorded_placement(folder) is not None


def withdraw(folder: Path) -> None:
    """Cancel the job of a run whose worker has not begun, and record the run as stopped.

    Raises:
        RunError: Slurm does not do so.
    """
    end_job(folder)
    status = replace(status_of(folder), status="stopped", reason="Stopped before it began.")
    write_status(folder, status)


def end_job(folder: Path, *, kill: bool = False) -> None:
    """Cancel the job of this run; what Slurm says of it afterwards is how the run ended.

    Raises:
        RunError: there is no job, or Slurm does not cancel it.
    """
    placement = recorded_placement(folder)
    if placement is None or not placement.job or placement.over:
        raise RunError(f"The run '{folder.name}' has no job to end.")
    cancel(placement.job, kill=kill)
    look_at_jobs([folder])
