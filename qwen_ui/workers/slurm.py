"""Slurm's commands: `sbatch`, `squeue`, `scancel`, `sinfo`, `scontrol`. No shell sees an argument.

They do what `submitit` would, which asks `sacct` (it needs a database), pickles a function where a
command is to run, and takes a preemption for a failure; see docs/decisions/workers.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from qwen_ui.errors import RunError, SettingsError
from qwen_ui.gpus import VISIBLE
from qwen_ui.runs import LOG_NAME

PATIENCE_SECONDS = 20.0
MOST_GPUS, MOST_CPUS, MOST_MINUTES = 64, 1024, 60 * 24 * 31
_PARTITION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
_JOB = re.compile(r"\d{1,18}")
# In this order, with the reason last: it may hold anything.
_COLUMNS = ("JobID", "State", "RestartCnt", "NodeList", "Reason")
# The job is told so long before its time limit; shorter ones have time for nothing else.
NOTICE_SECONDS, SHORTEST_WITH_NOTICE = 120, 10


@dataclass(frozen=True, slots=True)
class SlurmRequest:
    """What a person asks of Slurm.

    Attributes:
        partition: "" for the default one.
        gpus: of one node; 0 trains on its processors.
        cpus: of that node; 0 for what the cluster gives by itself.
        minutes: the job's time limit.

    Raises:
        SettingsError: a value is out of its range.
    """

    partition: str = ""
    gpus: int = 1
    cpus: int = 0
    minutes: int = 60

    def __post_init__(self) -> None:
        if self.partition and not _PARTITION.fullmatch(self.partition):
            raise SettingsError(
                f"'{self.partition[:80]}' is not a valid partition. `sinfo` lists their names."
            )
        if not 0 <= self.gpus <= MOST_GPUS:
            raise SettingsError(f"{self.gpus} GPUs cannot be asked for. Give 0 to {MOST_GPUS}.")
        if not 0 <= self.cpus <= MOST_CPUS:
            raise SettingsError(f"{self.cpus} cores cannot be asked for. Give 0 to {MOST_CPUS}.")
        if not 1 <= self.minutes <= MOST_MINUTES:
            raise SettingsError(
                f"A time of {self.minutes} minutes is out of its range. Give 1 to {MOST_MINUTES}."
            )


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands, in Slurm's words."""

    state: str
    reason: str = ""
    node: str = ""
    restarts: int = 0


def has_slurm() -> bool:
    """Whether jobs can be handed to Slurm from here."""
    return shutil.which("sbatch") is not None


def partitions() -> list[str]:
    """Names of the partitions, the default one first; [] where Slurm does not answer."""
    done = _run("sinfo", "--noheader", "--format=%P")
    if done is None or done.returncode:
        return []
    names = list(dict.fromkeys(done.stdout.split()))
    # The default one bears a star.
    return [name.rstrip("*") for name in sorted(names, key=lambda name: not name.endswith("*"))]


def job_options(request: SlurmRequest, name: str) -> list[str]:
    """The options of `sbatch` that say what the job needs, each one word."""
    options = [
        f"--job-name={name}",
        "--nodes=1",
        # One: torchrun starts the processes of a run itself.
        "--ntasks=1",
        f"--time={request.minutes}",
        # After a preemption or the loss of its node it waits again; the run goes on from its
        # checkpoint.
        "--requeue",
        "--open-mode=append",
    ]
    if request.partition:
        options.append(f"--partition={request.partition}")
    if request.gpus:
        options.append(f"--gpus-per-node={request.gpus}")
    if request.cpus:
        options.append(f"--cpus-per-task={request.cpus}")
    if request.minutes >= SHORTEST_WITH_NOTICE:
        options.append(f"--signal=B:TERM@{NOTICE_SECONDS}")
    return options


def submit(script: Path, environment: Mapping[str, str]) -> str:
    """Hand a job script to Slurm; the job's number. It runs, and logs, in the script's folder.

    Raises:
        RunError: Slurm does not take it; its own words.
    """
    folder = script.parent
    # Of this process's own job, where it is in one, nothing holds for the new one.
    kept = {
        key: value
        for key, value in environment.items()
        if key != VISIBLE and (key == "SLURM_CONF" or not key.startswith("SLURM_"))
    }
    # Slurm fills in what follows a percent sign.
    log = str(folder / LOG_NAME).replace("%", "%%")
    options = ("--parsable", f"--output={log}", f"--chdir={folder}")
    done = _run("sbatch", *options, str(script), environment=kept)
    if done is None:
        raise RunError("Slurm did not answer (`sbatch`). Try again, or launch on this machine.")
    job = done.stdout.strip().partition(";")[0]
    if done.returncode or not _JOB.fullmatch(job):
        said = " ".join(done.stderr.replace("sbatch: error:", " ").split())
        raise RunError(f"Slurm did not take the job: {said[:300] or 'it said nothing'}")
    return job


def job_states(jobs: Iterable[str]) -> dict[str, JobState] | None:
    """How these jobs stand; those that Slurm has forgotten are left out. None: no answer."""
    wanted = ",".join(sorted(filter(_JOB.fullmatch, jobs)))
    if not wanted:
        return {}
    columns = ",".join(f"{name}:|" for name in _COLUMNS)
    done = _run("squeue", "--states=all", "--noheader", f"--jobs={wanted}", f"--Format={columns}")
    if done is None:
        return None
    if done.returncode:
        # That is said of one that is not known; of several, those are left out.
        return {} if "Invalid job id" in done.stderr else None
    found = {}
    for line in done.stdout.splitlines():
        parts = line.strip().split("|", len(_COLUMNS) - 1)
        if len(parts) == len(_COLUMNS):
            job, state, restarts, node, reason = (part.strip() for part in parts)
            count = int(restarts) if restarts.isdecimal() else 0
            found[job] = JobState(state, reason.rstrip("|"), node, count)
    return found


def cancel(job: str, *, kill: bool = False) -> None:
    """End a job: its worker is told to, and killed after the cluster's KillWait; or at once.

    Raises:
        RunError: Slurm does not answer, or does not let this account do it.
    """
    if kill:
        _run("scancel", "--full", "--signal=KILL", job)
    done = _run("scancel", job)
    if done is None or (done.returncode and "Invalid job id" not in done.stderr):
        said = "" if done is None else " ".join(done.stderr.split())[:300]
        raise RunError(f"Slurm did not cancel job {job}. {said}".rstrip())


@dataclass(frozen=True, slots=True)
class Notice:
    """Why the job of this process is told to end.

    Attributes:
        reason: a sentence, "" where this is no job, or Slurm does not say.
        preempted: the job's number, where it has to make room and is within its grace time.
    """

    reason: str = ""
    preempted: str = ""


def read_notice() -> Notice:
    """Ask Slurm why it tells the job of this process to end."""
    job = os.environ.get("SLURM_JOB_ID", "")
    done = _run("scontrol", "show", "job", job) if _JOB.fullmatch(job) else None
    if done is None or done.returncode:
        return Notice()
    said = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
    if said.get("PreemptTime", "None") != "None":
        return Notice("Slurm gives its place to another job.", job)
    if said.get("JobState") == "RUNNING" and _is_soon(said.get("EndTime", "")):
        return Notice("The job's time limit is reached.")
    return Notice()


def requeue(job: str) -> None:
    """Put a job back into the queue, which ends it.

    Slurm does so by itself only where it has to kill the job: one that ends within its grace time
    counts as completed.
    """
    _run("scontrol", "requeue", job)


def _is_soon(moment: str) -> bool:
    try:
        end = datetime.fromisoformat(moment)
    except ValueError:
        return False
    return end - datetime.now() < timedelta(seconds=2 * NOTICE_SECONDS)


def _run(
    *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str] | None:
    """What a command of Slurm's says; None where it is not there or takes too long."""
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
