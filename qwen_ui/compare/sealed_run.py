"""A finished run as a seal holds it: its figures, its price and its digests, from its folder."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from qwen_ui import __version__, engine
from qwen_ui.compare.dial import finite_or_none
from qwen_ui.compare.noise_floor import noise_floor
from qwen_ui.compare.seal import Kept, Learned, Machine, Seal, Taken, Told, closed, sha256
from qwen_ui.errors import ModelError, RunError
from qwen_ui.files import parse_json, read_json
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.freeze.cost import OVERHEAD_BYTES, Way
from qwen_ui.model import open_model
from qwen_ui.runs import (
    DELTA_NAME,
    HeldOut,
    KeptText,
    RunFold,
    command_line,
    fold_run,
    read_held_out,
    read_kept_text,
    read_spec,
    run_folder,
    run_summary,
    standard_error,
    train_command,
)

# What a run's worker writes once, or only appends to until it ends.
COVERED = (
    *("spec.json", "plan.json", "environment.json", "events.jsonl"),
    *(DELTA_NAME, "held_out.json", "keep.json"),
)
# Of a mean that an event records and the samples' file gives again (nats per token).
_SAME_LOSS = 1e-6


def seal_run(run: str) -> Seal:
    """The seal of a completed run, from its folder.

    Raises:
        RunError: no such run, it is not completed, or its folder does not hold together.
    """
    found = measure(run)
    told = _told(run_folder(run), found.machine.device)
    return closed(found.model_copy(update={"price_told": told}))


def measure(run: str) -> Seal:
    """What a run's folder alone gives of its seal: all but the price told and the digest.

    Raises:
        RunError: as `seal_run`.
    """
    folder = run_folder(run)
    fold = fold_run(folder)
    if fold.end.get("status") != "completed" or not (folder / DELTA_NAME).is_file():
        raise RunError(
            f"The run '{run}' cannot be sealed: it is not completed, or left no trained tensors. "
            "Resume it, or train another."
        )
    spec, start = read_spec(folder), fold.start
    held_out, kept = _measured(folder, fold)
    record = read_json(folder / "spec.json")
    record.pop("plan", None)
    summary = run_summary(folder)
    prints = ("training_fingerprint", "evaluation_fingerprint", "keep_fingerprint")
    missing = [name for name in (*prints[:2], "fingerprint", "threads") if not start.get(name)]
    if missing:
        raise RunError(f"The run '{run}' is of a version that did not record {missing[0]}.")
    return Seal(
        run=run,
        command=command_line(train_command(folder, plan="plan.json")),
        settings=record,
        plan=read_json(folder / "plan.json"),
        seed=spec.optimization.seed,
        learning_rate=float(start["learning_rate"]),
        base=start["fingerprint"],
        data={name: start[name] for name in prints if start.get(name)},
        environment=read_json(folder / "environment.json"),
        machine=Machine(**{name: start[name] for name in Machine.model_fields}),
        files=digests(folder),
        tensors=tensor_digest(folder / DELTA_NAME),
        losses=sha256(json.dumps(fold.columns["loss"])),
        held_out=_learned(held_out),
        keep=None if kept is None else _kept(kept),
        price_told=None,
        price_taken=Taken(
            peak_bytes=summary["peak_bytes"],
            seconds_per_step=summary["seconds_per_step"],
            seconds=float(fold.last("elapsed") or 0.0),
        ),
        sealed_by=__version__,
    )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the covered files that a run's folder holds, by name."""
    found = {}
    for name in COVERED:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def tensor_digest(file: Path) -> str:
    """SHA-256 of a safetensors file without its metadata: names, types, shapes, values.

    The format: eight bytes with the header's length, the header as JSON, the values
    (https://github.com/huggingface/safetensors#format).

    Raises:
        RunError: it is no such file.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        try:
            if length > file.stat().st_size:
                raise ValueError("its header is longer than the file")
            header = parse_json(opened.read(length))
            header.pop("__metadata__", None)
        except (ValueError, AttributeError) as error:
            raise RunError(f"'{file}' cannot be read as a delta ({error}).") from error
        whole = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        return hashlib.file_digest(opened, lambda: whole).hexdigest()


def _measured(folder: Path, fold: RunFold) -> tuple[HeldOut, KeptText | None]:
    """The losses of single samples, which give the means that the run's last event tells."""
    held_out, kept = read_held_out(folder), read_kept_text(folder)
    if held_out is None or (kept is None and fold.start.get("keep_fingerprint")):
        raise RunError(
            f"The run '{folder.name}' left no losses of its single samples, or they are damaged, "
            "so nothing can be sealed. Train it again."
        )
    pairs = [("eval_loss_before", held_out.before, held_out.tokens)]
    pairs += [("eval_loss_after", held_out.after, held_out.tokens)]
    if kept is not None:
        pairs += [("keep_loss_before", kept.before, kept.tokens)]
        pairs += [("keep_loss_after", kept.after, kept.tokens), ("kl", kept.kl, kept.tokens)]
    for name, sums, tokens in pairs:
        said = fold.end.get(name)
        if said is None or abs(said - math.fsum(sums) / sum(tokens)) > _SAME_LOSS:
            raise RunError(
                f"The files of the run '{folder.name}' contradict each other about {name}: one of "
                "them was changed. Restore them from a copy, or train again."
            )
    return held_out, kept


def _learned(found: HeldOut) -> Learned:
    gain, error = found.gain, finite_or_none(found.gain_error)
    return Learned(**_evaluated(found), gain=gain, gain_error=error)


def _kept(found: KeptText) -> Kept:
    return Kept(
        **_evaluated(found),
        forgetting=found.forgetting,
        forgetting_error=finite_or_none(found.forgetting_error),
        kl=found.divergence,
        kl_error=finite_or_none(found.divergence_error),
    )


def _evaluated(found: HeldOut | KeptText) -> dict[str, Any]:
    tokens = sum(found.tokens)
    return {
        "samples": len(found.tokens),
        "tokens": tokens,
        "before": math.fsum(found.before) / tokens,
        "before_error": finite_or_none(standard_error(found.before, found.tokens)),
        "after": math.fsum(found.after) / tokens,
        "after_error": finite_or_none(standard_error(found.after, found.tokens)),
        "noise_floor": noise_floor(found.before, found.tokens),
    }


def _told(folder: Path, device: str) -> Told | None:
    """What the Train page tells of the run; it prices no adapters."""
    from qwen_ui.freeze.cost import price  # noqa: PLC0415  loads torch

    spec = read_spec(folder)
    if spec.model.lora_rank:
        return None
    try:
        anatomy = open_model(spec.model.source)
    except ModelError:
        return None
    streamed = fold_run(folder).start.get("prefix") == "streamed"
    way: Way = "stream" if streamed else "keep" if spec.resources.caches_prefix else "off"
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    cost = price(anatomy, selection, engine.step_of(spec, anatomy, device, way))
    return Told(peak_bytes=int(cost.peak_bytes + OVERHEAD_BYTES), flops_step=cost.flops_step)
