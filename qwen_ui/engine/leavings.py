"""What a run leaves in its folder when it ends: the losses of single samples, and its delta."""

from __future__ import annotations

import math

import torch

from qwen_ui.engine.delta import write_delta
from qwen_ui.engine.lora import by_weight
from qwen_ui.engine.setup import Prepared
from qwen_ui.engine.step_report import Evaluation
from qwen_ui.runs import DELTA_NAME, HeldOut, Writer, gain_note, write_held_out


def trained_tensors(run: Prepared) -> dict[str, torch.Tensor]:
    """The trained tensors as a delta has them: adapters by the weight they belong to."""
    trained = run.loop.optimizer.trained()
    return by_weight(run.model, trained) if run.spec.model.lora_rank else trained


def leave_held_out(
    run: Prepared, writer: Writer, before: tuple[float, ...], after: Evaluation
) -> float | None:
    """Leave the losses of the single samples; the standard error of the gain.

    Args:
        before: sums of the samples' losses under the base (nats).
    """
    if len(before) != len(after.sums):  # resumed from a checkpoint of a former version
        return None
    held_out = HeldOut(after.tokens, before, after.sums)
    if run.loop.group.rank == 0:
        write_held_out(writer.folder, held_out)
    note = gain_note(held_out, run.rate.rate)
    if note:
        writer.event("log", level="warning", message=note)
    return held_out.gain_error if math.isfinite(held_out.gain_error) else None


def leave_delta(run: Prepared, writer: Writer, step: int) -> str:
    """Leave the trained tensors; the name of their file."""
    # In every process: where the weights are sharded, none holds a whole tensor.
    trained = trained_tensors(run)
    if run.loop.group.rank == 0:
        write_delta(
            writer.folder / DELTA_NAME,
            trained,
            base=run.base.fingerprint,
            plan=run.spec.plan,
            spec=run.spec.to_dict(),
            step=step,
        )
    return DELTA_NAME
