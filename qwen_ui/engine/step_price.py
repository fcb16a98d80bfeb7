"""The price of a step as the worker takes it, for pages and advice: what `freeze.cost` is told."""

from __future__ import annotations

import sys
from dataclasses import replace

from qwen_ui.engine.chunked_loss import gpu_head_loss, head_loss
from qwen_ui.engine.early_stopping import MAX_BEST_BYTES
from qwen_ui.engine.movement import HELD_BYTES
from qwen_ui.engine.optimizer import GPU_PORTION_BYTES, PORTION_BYTES
from qwen_ui.freeze import StepSettings
from qwen_ui.freeze.cost import Engine, Way
from qwen_ui.model import Anatomy
from qwen_ui.runs import RunSpec, setting_choices

WORKER = Engine(
    head_loss=head_loss,
    origin_limit=HELD_BYTES,
    wide_gradients=PORTION_BYTES,
    adds_up_wide=True,
)
OPTIMIZERS = setting_choices("optimizer") or ()
ON_GPU = replace(
    WORKER,
    head_loss=gpu_head_loss,
    wide_gradients=GPU_PORTION_BYTES,
    fixed_gradients=True,
)


def as_worker(
    settings: StepSettings,
    *,
    dtype: str | None,
    keep_prefix: bool,
    stream_prefix: bool = False,
    on_gpu: bool = False,
    offload: bool = False,
    holds_best: bool = False,
    holds_start: bool = False,
) -> StepSettings:
    """The same step in the worker's way: loss in chunks, AdamW, full batches.

    Args:
        dtype: of the weights in memory, as `auto_dtype` says; None for the model's own.
        keep_prefix: whether the frozen blocks' outputs are cached.
        stream_prefix: whether the frozen blocks are read one by one for that, and never held.
        on_gpu: whether a GPU computes it.
        offload: whether masters and moments are held in main memory.
        holds_best: whether the best trained tensors so far are held, for early stopping.
        holds_start: whether the untrained ones are held, however large: a learning-rate finder
            begins every trial with them.
    """
    engine = ON_GPU if on_gpu else WORKER
    engine = replace(
        engine,
        offloads=offload,
        best_limit=MAX_BEST_BYTES if holds_best else 0,
        origin_limit=sys.maxsize if holds_start else engine.origin_limit,
    )
    return replace(
        settings,
        engine=engine,
        dtype=dtype,
        keep_prefix=keep_prefix,
        stream_prefix=stream_prefix,
        optimizer=settings.optimizer if settings.optimizer in OPTIMIZERS else OPTIMIZERS[0],
        masters=True,
        padded=False,
    )


def auto_dtype(anatomy: Anatomy, *, on_gpu: bool) -> str:
    """The dtype of weights in memory that `auto` comes to; see `model.weights.training_dtype`."""
    return "bfloat16" if on_gpu and anatomy.dtype == "bfloat16" else "float32"


def step_of(spec: RunSpec, anatomy: Anatomy, device: str, way: Way) -> StepSettings:
    """The step of a run, as it is priced.

    Args:
        anatomy: of its model.
        device: the type of the one that computes it: `cpu`, `cuda` or `mps`.
        way: what becomes of the frozen blocks below.
    """
    settings, resources = spec.optimization, spec.resources
    plain = StepSettings(
        batch_size=settings.batch_size,
        sequence_length=spec.data.sequence_length,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        optimizer=settings.optimizer,
        checkpointing=resources.gradient_checkpointing,
        keep_tokens=spec.data.keep_tokens if spec.data.keep else 0,
    )
    on_gpu, dtype = device != "cpu", spec.model.dtype
    return as_worker(
        plain,
        dtype=auto_dtype(anatomy, on_gpu=on_gpu) if dtype == "auto" else dtype,
        keep_prefix=way != "off",
        stream_prefix=way == "stream",
        on_gpu=on_gpu,
        offload=resources.optimizer_offload,
        holds_best=spec.evaluation.early_stopping_patience > 0,
        holds_start=settings.learning_rate_finder,
    )
