"""A run that Slurm places: what was asked of it, what it last said, and which worker has the run.

Such a run has no process on this machine. `placement.json` stands in for it: whoever starts, looks
at, stops or resumes runs finds there that the run is Slurm's. What Slurm says is written into it by
whoever asks (`qwen_ui.workers.slurm_runs`), so that reading how a run stands asks nobody.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from qwen_ui.files import read_object, write_json
from qwen_ui.runs.fields import Checks, is_count, is_flag, is_number, is_text, wrong_fields
from qwen_ui.runs.process import host_name
from qwen_ui.runs.status import Status

PLACEMENT = "placement.json"
CLAIM = "claim.json"
# From the making of a run to the number that `sbatch` gives it.
HAND_OVER_SECONDS = 60.0
# What the job is where Slurm has forgotten it: it does so some minutes after its end.
FORGOTTEN = "FORGOTTEN"

PLACEMENT_FIELDS: Checks = {
    **dict.fromkeys(("partition", "job", "state", "reason", "node"), is_text),
    **dict.fromkeys(("gpus", "cpus", "minutes", "restarts"), is_count),
    "asked": is_number,
    "answered": is_flag,
}
CLAIM_FIELDS: Checks = {"job": is_text, "restarts": is_count, "host": is_text}
# How a run stands whose job ended so while its worker said nothing of its end. An empty reason
# leaves it to the last lines of the log.
ENDS = {
    "PREEMPTED": ("interrupted", "Slurm gave its place to another job."),
    "NODE_FAIL": ("interrupted", "The node that it ran on was lost."),
    "TIMEOUT": ("interrupted", "The job's time limit was reached."),
    "DEADLINE": ("interrupted", "The job's deadline was reached."),
    "BOOT_FAIL": ("interrupted", "The node that it was to run on did not start."),
    "OUT_OF_MEMORY": ("interrupted", "The job needed more memory than Slurm allowed it."),
    "CANCELLED": ("stopped", "The job was cancelled in Slurm."),
    "REVOKED": ("stopped", "The job was revoked in Slurm."),
    "COMPLETED": ("interrupted", ""),
    "FAILED": ("interrupted", ""),
    FORGOTTEN: ("interrupted", ""),
}
_RESUME = "Resume submits it again; it goes on from its last checkpoint."
# Reasons for which Slurm lets a job wait, in words; others are shown as Slurm calls them.
_WAITS = {
    "None": "",
    "Priority": "jobs of higher priority come first",
    "Resources": "no node is free",
    "BeginTime": "it may begin in a moment",
    "Dependency": "another job has to end first",
    "ReqNodeNotAvail": "its node is not available",
    "PartitionDown": "the partition is down",
    "JobHeldUser": "it is held",
    "JobHeldAdmin": "it is held by an administrator",
}


@dataclass(frozen=True, slots=True)
class Placement:
    """What was asked of Slurm for a run, and what it last said.

    Attributes:
        partition: "" for Slurm's default one.
        gpus: of one node.
        cpus: of that node; 0 for what the cluster gives by itself.
        minutes: the job's time limit.
        job: its number; "" until Slurm has given one.
        state: as Slurm calls it; "" before it was asked.
        reason: why it waits, as Slurm calls it.
        node: where it runs.
        restarts: how often it was requeued.
        asked: when the run was made for Slurm, seconds since the epoch.
        answered: whether Slurm answered when it was asked last.
    """

    partition: str = ""
    gpus: int = 0
    cpus: int = 0
    minutes: int = 60
    job: str = ""
    state: str = ""
    reason: str = ""
    node: str = ""
    restarts: int = 0
    asked: float = 0.0
    answered: bool = True

    @property
    def over(self) -> bool:
        """Whether the job has ended, as far as is known."""
        return self.state in ENDS

    def forgotten(self) -> Placement:
        """The same, of a job that Slurm no longer knows."""
        return replace(self, state=FORGOTTEN, answered=True)

    def anew(self) -> Placement:
        """The same request, not yet handed over."""
        return Placement(self.partition, self.gpus, self.cpus, self.minutes, asked=time.time())

    @property
    def label(self) -> str:
        """`Slurm job 12 on node3`."""
        where = f" on {self.node}" if self.node else ""
        return f"Slurm job {self.job}{where}" if self.job else "Slurm"


@dataclass(frozen=True, slots=True)
class Claim:
    """Which start of which job has a run: the latest one to say so.

    Attributes:
        job, restarts: of the job that the worker is of.
        host: the machine that it runs on.
    """

    job: str
    restarts: int
    host: str


def write_placement(folder: Path, placement: Placement) -> None:
    write_json(folder / PLACEMENT, asdict(placement))


def recorded_placement(folder: Path) -> Placement | None:
    """What `write_placement` left; None where the run is not Slurm's."""
    found = read_object(folder / PLACEMENT)
    if found is None:
        return None
    wrong = wrong_fields(found, PLACEMENT_FIELDS)
    given = {k: v for k, v in found.items() if k in PLACEMENT_FIELDS and k not in wrong}
    return Placement(**{key: value for key, value in given.items() if value is not None})


def recorded_claim(folder: Path) -> Claim | None:
    """What `claim_run` left; None where it left nothing, or the file is damaged."""
    found = read_object(folder / CLAIM)
    if not found or wrong_fields(found, CLAIM_FIELDS) or not found.keys() >= CLAIM_FIELDS.keys():
        return None
    return Claim(**{key: found[key] for key in CLAIM_FIELDS})


def claim_run(folder: Path) -> Claim | None:
    """Say that this process, of a Slurm job, has the run; None where it is of none.

    A former start of the same job that still lives, on a node that Slurm has lost, learns by it
    that the run is no longer its own.
    """
    job = os.environ.get("SLURM_JOB_ID", "")
    # A dashboard may run within a job of its own: its local workers are not that job.
    if not job or recorded_placement(folder) is None:
        return None
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    claim = Claim(job, int(restarts) if restarts.isdecimal() else 0, host_name())
    write_json(folder / CLAIM, asdict(claim))
    return claim


def placed_status(status: Status, placement: Placement, claim: Claim | None) -> Status:
    """How a run of Slurm's stands.

    Args:
        status: what its worker recorded last.
        placement: what Slurm said last.
        claim: the start of the job that recorded it.
    """
    found = _placed(status, placement, claim)
    if placement.answered or found.over:
        return found
    silent = "Slurm does not answer now; this is what was known last."
    return replace(found, reason=f"{found.reason} {silent}".lstrip())


def _placed(status: Status, placement: Placement, claim: Claim | None) -> Status:
    if status.over and status.status != "interrupted":
        return status
    if not placement.job:
        return _before_its_number(status, placement)
    if placement.over:
        return _after_its_end(status, placement)
    begun = claim == Claim(placement.job, placement.restarts, claim.host) if claim else False
    job = f"Slurm job {placement.job}"
    if placement.state in {"", "PENDING", "REQUEUED"}:
        waits = f"{job} waits{_because(placement.reason)}.{_requeued(placement)}"
        return replace(status, status="queued", reason=waits)
    if not begun:
        starts = f"{job} starts on {placement.node or 'a node'}.{_requeued(placement)}"
        return replace(status, status="queued", reason=starts)
    said = status.reason
    if status.status == "interrupted" or placement.state == "COMPLETING":
        said = f"{status.reason or 'The job ends.'} Slurm decides what comes next."
    elif placement.state in {"SUSPENDED", "STOPPED"}:
        said = f"Slurm has suspended job {placement.job}."
    return replace(status, status="running", reason=said)


def _before_its_number(status: Status, placement: Placement) -> Status:
    if status.status == "interrupted":
        return status
    if time.time() - placement.asked < HAND_OVER_SECONDS:
        return replace(status, status="queued", reason="It is handed to Slurm.")
    lost = "It was not handed to Slurm: what was to do so has ended. Resume submits it."
    return replace(status, status="interrupted", reason=lost)


def _after_its_end(status: Status, placement: Placement) -> Status:
    ended, reason = ENDS[placement.state]
    if not reason:
        # The worker's own word is better than none, and than that of a log.
        return replace(status, status=ended, reason=_own_word(status))
    return replace(status, status=ended, reason=f"{reason} {_RESUME}")


def _own_word(status: Status) -> str:
    return status.reason if status.status == "interrupted" else ""


def _because(reason: str) -> str:
    said = _WAITS.get(reason, reason)
    return f": {said}" if said else ""


def _requeued(placement: Placement) -> str:
    times = placement.restarts
    return f" It was requeued {'once' if times == 1 else f'{times} times'}." if times else ""
