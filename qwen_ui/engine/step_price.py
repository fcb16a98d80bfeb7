"""The price of a step as the worker takes it, for pages and advice: what `freeze.cost` is told."""

from __future__ import annotations

from dataclasses import replace

from qwen_ui.engine.chunked_loss import head_loss
from qwen_ui.engine.movement import MAX_ORIGIN_BYTES
from qwen_ui.engine.optimizer import PORTION_BYTES
from qwen_ui.freeze import StepSettings
from qwen_ui.freeze.cost import Engine

WORKER = Engine(
    head_loss=head_loss,
    origin_limit=MAX_ORIGIN_BYTES,
    wide_gradients=PORTION_BYTES,
    adds_up_wide=True,
)


def as_worker(settings: StepSettings, *, dtype: str | None, keep_prefix: bool) -> StepSettings:
    """The same step in the worker's way: loss in chunks, AdamW, no checkpointing, full batches.

    Args:
        dtype: of the weights in memory: `float32` on a CPU, None for the model's own on a GPU.
        keep_prefix: as the run's `prefix_cache` is `auto` or `off`.
    """
    return replace(
        settings,
        engine=WORKER,
        dtype=dtype,
        keep_prefix=keep_prefix,
        optimizer="adamw",
        masters=True,
        checkpointing=False,
        padded=False,
    )
