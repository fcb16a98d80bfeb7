"""Checkpoints to resume from: masters, moments and counters. A checkpoint is whole or absent.

The schedule, the data order and dropout are functions of the step, so the step's number restores
them all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from qwen_ui.errors import RunError
from qwen_ui.files import parse_json

# The newest checkpoints of a run; older ones are removed.
MOST_CHECKPOINTS = 2
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        tokens: real tokens seen.
        elapsed: seconds spent in steps.
        eval_before: evaluation loss before the first step.
        eval_samples: sums of the losses of each evaluation example then (nats).
        eval_best: the lowest so far.
        best_step: the step of the best tensors that are held, for early stopping.
        eval_stale: evaluations since then.
        eval_due: the evaluation after this step was broken off.
    """

    step: int = 0
    tokens: int = 0
    elapsed: float = 0.0
    eval_before: float | None = None
    eval_best: float | None = None
    eval_stale: int = 0
    best_step: int | None = None
    eval_samples: tuple[float, ...] = ()
    eval_due: bool = False


def write_checkpoint(folder: Path, tensors: dict[str, torch.Tensor], progress: Progress) -> Path:
    """Write `folder/step-00000100` and remove all but the last ones."""
    target = folder / f"step-{progress.step:08d}"
    part = folder / f".{target.name}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(held, part / "state.safetensors")
    (part / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")
    for file in part.iterdir():
        _sync(file)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)
    for old in sorted(_checkpoints(folder))[:-MOST_CHECKPOINTS]:
        shutil.rmtree(old)
    return target


def last_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], Progress] | None:
    """The newest checkpoint's tensors and progress; None where there is none.

    Raises:
        RunError: its progress is damaged.
    """
    found = max(_checkpoints(folder), default=None)
    if found is None:
        return None
    file = found / "progress.json"
    try:
        record = parse_json(file.read_bytes())
        progress = Progress(**{**record, "eval_samples": tuple(record.get("eval_samples", ()))})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(
            f"'{file}' is damaged ({type(error).__name__}). Remove its folder to go on from the "
            "checkpoint before, or start the run again."
        ) from error
    return load_file(found / "state.safetensors"), progress


def _checkpoints(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
