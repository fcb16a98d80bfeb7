"""What a run records when it starts: where it trains, what of the model, on how much data."""

from __future__ import annotations

from typing import Any

import torch

from qwen_ui.data import Examples
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


def _keep_fields(keep: Examples | None) -> dict[str, Any]:
    if keep is None:
        return {}
    return {
        "keep_examples": len(keep.items),
        "keep_tokens": sum(keep.loss_tokens),
        "keep_fingerprint": keep.fingerprint,
    }
