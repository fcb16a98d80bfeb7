"""A model's files -> the loop that trains it, its shortcuts verified on the first batch."""

from __future__ import annotations

from functools import partial

import torch
from accelerate import Accelerator

from qwen_ui.data import padding_id
from qwen_ui.engine.accelerator import make_process_group
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.hardware import free_bytes
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.lora import add_adapters
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.parts import Base, TokenizedData
from qwen_ui.engine.prefix_choice import note_pass
from qwen_ui.engine.prefix_cut import block_list
from qwen_ui.engine.prefix_opening import cache_opener
from qwen_ui.engine.recompute import recompute
from qwen_ui.engine.schedule import rate_of
from qwen_ui.engine.stream.refusal import StreamError
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.engine.stream.streamed_run import (
    cache_filler,
    cut_without_prefix,
    streams,
)
from qwen_ui.freeze import apply
from qwen_ui.freeze.cost import Way
from qwen_ui.model import embedding_rows
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.weights import (
    load_model,
    training_dtype,
)
from qwen_ui.runs import RunSpec, Tell


def proven_loop(
    spec: RunSpec,
    base: Base,
    data: TokenizedData,
    accelerator: Accelerator,
    way: Way,
    peak_rate: float,
    tell: Tell,
) -> tuple[Loop, list[str], str]:
    """The loop, its shortcuts verified; sentences on what fell back; that all weights are held.

    Some models show only in the proofs that their frozen blocks cannot be read one by one.

    Raises:
        StreamError: they cannot, and that was asked for or the whole model does not fit.
    """

    def attempt(way: Way) -> tuple[Loop, list[str]]:
        tell("loading")
        trainee = _load(spec, base, accelerator.device, way, tell)
        loop = _make_loop(spec, base, data, accelerator, trainee, peak_rate, tell)
        tell("proving")
        return loop, [trainee.why_uncut, *loop.verify()]

    try:
        return *attempt(way), ""
    except StreamError:
        if not _may_hold_all(spec, base, accelerator):
            raise
    # Outside: the error's frames hold the first trainee.
    accelerator.free_memory()
    torch.manual_seed(spec.optimization.seed)
    return *attempt("keep"), (
        "All weights are held: the frozen blocks of this model have to be in memory together."
    )


def _may_hold_all(spec: RunSpec, base: Base, accelerator: Accelerator) -> bool:
    """Whether a run whose way was chosen by itself may load what it meant not to.

    All of its processes turn back, or none: those that share a memory load it once each.
    """
    if spec.resources.prefix != "auto":
        return False
    anatomy, device = base.selection.anatomy, accelerator.device
    width = training_dtype(spec.model.dtype, anatomy, device).itemsize
    needed = width * anatomy.total_parameters
    needed *= accelerator.num_processes if device.type == "cpu" else 1
    fits = torch.tensor(float(needed <= free_bytes(device)), device=device)
    return float(accelerator.reduce(fits, "sum")) == accelerator.num_processes


def _load(spec: RunSpec, base: Base, device: torch.device, way: Way, tell: Tell) -> Trainee:
    """The model with its weights and its plan applied."""
    anatomy = base.selection.anatomy
    dtype = training_dtype(spec.model.dtype, anatomy, device)
    # Sharded weights go to their devices a shard at a time.
    place = torch.device("cpu") if spec.resources.sharded else device
    model, cut = _read_weights(spec, base, dtype, place, way, tell)
    apply(base.selection, model)
    if spec.model.lora_rank:
        add_adapters(model, base.selection, spec.model.lora_rank, spec.optimization.seed)
    if spec.resources.gradient_checkpointing:
        recompute(block_list(model, anatomy)[base.selection.prefix_blocks :])
    return Trainee(model, base.selection, cache_prefix=spec.resources.caches_prefix, cut=cut)


def _read_weights(
    spec: RunSpec, base: Base, dtype: torch.dtype, place: torch.device, way: Way, tell: Tell
) -> tuple[PreTrainedModel, StreamedCut | None]:
    """The model, without the frozen blocks below where they are read once.

    Chosen by itself, that falls back to all weights in a model that cannot be read so.
    """
    if way == "stream":
        try:
            return cut_without_prefix(base.folder, base.selection, dtype, place)
        except StreamError:
            if spec.resources.prefix == "stream":
                raise
    far = partial(tell, "loading")
    return load_model(base.folder, base.selection.anatomy, dtype, place, far), None


def _make_loop(
    spec: RunSpec,
    base: Base,
    data: TokenizedData,
    accelerator: Accelerator,
    trainee: Trainee,
    peak_rate: float,
    tell: Tell,
) -> Loop:
    settings = spec.optimization
    blocks = block_list(trainee.model, base.selection.anatomy) if spec.resources.sharded else None
    group = make_process_group(accelerator, trainee, blocks)
    # After the plan and after the move to the device: an optimizer made earlier would hold others.
    optimizer = MasterAdamW(
        trainee.model,
        weight_decay=settings.weight_decay,
        gradient_clip=settings.gradient_clip,
        eight_bit=settings.optimizer == "adamw_8bit",
        offload=spec.resources.optimizer_offload,
    )
    return Loop(
        trainee,
        optimizer,
        data.training,
        data.evaluation,
        rate=rate_of(settings, peak_rate),
        batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        seed=settings.seed,
        pad=padding_id(data.tokenizer, embedding_rows(base.selection.anatomy)),
        open_caches=cache_opener(spec, base, data, trainee, group.device),
        fill_caches=cache_filler(
            spec.resources.prefix_budget_bytes,
            tell,
            lambda passed: note_pass(spec, base.selection, group.device.type, passed),
        )
        if streams(trainee)
        else None,
        group=group,
        steps=settings.steps,
        keep=data.keep,
    )
