"""A spec -> all that its run needs: model, plan, data, optimizer and loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator

from qwen_ui.data import padding_id
from qwen_ui.engine.accelerator import make_accelerator, make_process_group
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.hardware import free_bytes
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.lora import adapted_modules, add_adapters
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.parts import Base, TokenizedData
from qwen_ui.engine.prefix_choice import choose_prefix, note_pass
from qwen_ui.engine.prefix_cut import block_list
from qwen_ui.engine.prefix_opening import cache_opener
from qwen_ui.engine.rates import SuggestedRate, peak_rate
from qwen_ui.engine.recompute import recompute
from qwen_ui.engine.schedule import rate_of
from qwen_ui.engine.split import read_split
from qwen_ui.engine.stream.refusal import StreamError
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.engine.stream.streamed_run import (
    cache_filler,
    cut_without_prefix,
    samples_note,
    streams,
)
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import FreezePlan, apply, resolve
from qwen_ui.freeze.cost import Way
from qwen_ui.model import Anatomy, embedding_rows, length_note, open_model
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.weights import (
    computes_bfloat16,
    load_model,
    load_tokenizer,
    training_dtype,
    weights_folder,
)
from qwen_ui.runs import RunSpec, Tell, tell_nobody


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can begin.

    Attributes:
        rate: the peak learning rate, and where it comes from.
        notes: sentences that the person should read.
    """

    spec: RunSpec
    base: Base
    data: TokenizedData
    accelerator: Accelerator
    rate: SuggestedRate
    loop: Loop
    notes: tuple[str, ...]

    @property
    def model(self) -> PreTrainedModel:
        """The model that the loop trains."""
        return self.loop.trainee.model


def set_up(spec: RunSpec, folder: Path, tell: Tell = tell_nobody) -> Prepared:
    """Everything of a run, its shortcuts verified on the first batch.

    Args:
        folder: of the run; trackers write there.
        tell: told what is done.

    Raises:
        UserError: the model, the plan, the data or a setting cannot be used.
    """
    if spec.resources.threads is not None:
        torch.set_num_threads(spec.resources.threads)
    torch.manual_seed(spec.optimization.seed)
    base = _choose(spec)
    tell("tokenizing")
    data = _read(spec, base)
    tell("loading")
    accelerator = make_accelerator(spec.resources, folder)
    _set_kernels(accelerator.device)
    narrowed = bfloat16_note(spec, base.selection.anatomy, accelerator.device)
    device = accelerator.device
    choice = choose_prefix(spec, base.selection, device.type, free_bytes(device))
    trainee = _load(spec, base, device, choice.way)
    rate = peak_rate(spec, base.selection)
    loop = _make_loop(spec, base, data, accelerator, trainee, rate.rate, tell)
    tell("proving")
    told = [note for note in data.evaluation.notes if note not in data.training.notes]
    notes = [
        *base.selection.warnings,
        *data.training.notes,
        *(f"Evaluation data: {note}" for note in told),
        *(f"Text to keep: {note}" for note in (data.keep.notes if data.keep else ())),
    ]
    if spec.model.lora_rank:
        notes.append(adapted_modules(base.selection).note)
    if spec.evaluation.sample_tokens:
        notes.append(samples_note(trainee))
    streamed = choice.sentence if streams(trainee) else ""
    notes += [rate.note, narrowed, streamed, trainee.why_uncut, *loop.verify()]
    return Prepared(
        spec, base, data, accelerator, rate, loop, notes=tuple(note for note in notes if note)
    )


def _set_kernels(device: torch.device) -> None:
    """Leave out attention kernels that plan for seconds whenever a length is new."""
    if device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)


def bfloat16_note(spec: RunSpec, anatomy: Anatomy, device: torch.device) -> str:
    """That a GPU without bfloat16 trains in float32 instead; "" where there is nothing to say.

    Raises:
        SettingsError: bfloat16 was asked for by name.
    """
    if device.type != "cuda" or computes_bfloat16(device):
        return ""
    if spec.model.dtype == "bfloat16" or spec.resources.mixed_precision == "bf16":
        raise SettingsError(
            "This GPU does not compute in bfloat16 (it would emulate it, slowly). Choose the dtype "
            "float32 and no mixed precision."
        )
    if anatomy.dtype != "bfloat16" or spec.model.dtype != "auto":
        return ""
    return "This GPU does not compute in bfloat16, so the weights are held in float32."


def _choose(spec: RunSpec) -> Base:
    """Resolve the plan on the model, and find its weights."""
    anatomy = open_model(spec.model.source)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    if not selection.names:
        raise PlanError("The plan trains nothing. Choose at least one parameter.")
    if note := length_note(anatomy, spec.data.sequence_length):
        selection = replace(selection, warnings=(*selection.warnings, note))
    return Base(selection, weights_folder(anatomy))


def _read(spec: RunSpec, base: Base) -> TokenizedData:
    tokenizer = load_tokenizer(base.folder)
    training, evaluation, keep = read_split(spec, base.selection.anatomy, tokenizer)
    return TokenizedData(tokenizer, training, evaluation, keep)


def _load(spec: RunSpec, base: Base, device: torch.device, way: Way) -> Trainee:
    """The model with its weights and its plan applied."""
    anatomy = base.selection.anatomy
    dtype = training_dtype(spec.model.dtype, anatomy, device)
    # Sharded weights go to their devices a shard at a time.
    place = torch.device("cpu") if spec.resources.sharded else device
    model, cut = _read_weights(spec, base, dtype, place, way)
    apply(base.selection, model)
    if spec.model.lora_rank:
        add_adapters(model, base.selection, spec.model.lora_rank, spec.optimization.seed)
    if spec.resources.gradient_checkpointing:
        recompute(block_list(model, anatomy)[base.selection.prefix_blocks :])
    return Trainee(model, base.selection, cache_prefix=spec.resources.caches_prefix, cut=cut)


def _read_weights(
    spec: RunSpec, base: Base, dtype: torch.dtype, place: torch.device, way: Way
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
    return load_model(base.folder, base.selection.anatomy, dtype, place), None


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
