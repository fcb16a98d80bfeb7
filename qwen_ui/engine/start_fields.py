"""What a run records when it starts: where it trains, what of the model, on how much data."""

from __future__ import annotations

from typing import Any

import torch

from qwen_ui.data import Examples
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.hardware import device_name
from qwen_ui.engine.setup import Prepared


def start_fields(run: Prepared, *, step: int, steps: int) -> dict[str, Any]:
    """The fields of the event `start` of a run that goes on from this step."""
    loop = run.loop
    total = run.base.selection.total_parameters
    trained = loop.optimizer.elements
    return {
        "step": step,
        "steps": steps,
        "device": loop.group.device.type,
        "device_name": device_name(loop.group.device),
        "processes": loop.group.world_size,
        "threads": torch.get_num_threads(),
        "dtype": str(next(run.model.parameters()).dtype).removeprefix("torch."),
        "prefix_blocks": loop.trainee.prefix_blocks,
        "prefix": _prefix_way(loop.trainee),
        "loaded_bytes": loaded_bytes(loop.trainee),
        "trainable_parameters": trained,
        "total_parameters": total + (trained if run.spec.model.lora_rank else 0),
        "learning_rate": run.rate.rate,
        "learning_rate_source": run.rate.source,
        "training_examples": len(run.data.training.items),
        "training_fingerprint": run.data.training.fingerprint,
        "evaluation_examples": len(run.data.evaluation.items),
        "evaluation_fingerprint": run.data.evaluation.fingerprint,
        "fingerprint": run.base.fingerprint,
        **_keep_fields(run.data.keep),
    }


def _prefix_way(trainee: Trainee) -> str:
    """What becomes of the frozen blocks below: `off`, `kept` or `streamed`."""
    if trainee.cut is None:
        return "off"
    return "kept" if trainee.cut.holds_prefix else "streamed"


def loaded_bytes(trainee: Trainee) -> int:
    """Bytes of weights that are in memory at once, on all processes together."""
    held = sum(p.numel() * p.element_size() for p in trainee.model.parameters())
    cut = trainee.cut
    return held if cut is None else held + max(cut.block_bytes, default=0)


def _keep_fields(keep: Examples | None) -> dict[str, Any]:
    if keep is None:
        return {}
    return {
        "keep_examples": len(keep.items),
        "keep_tokens": sum(keep.loss_tokens),
        "keep_fingerprint": keep.fingerprint,
    }
