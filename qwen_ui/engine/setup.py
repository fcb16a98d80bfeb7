"""A spec -> all that its run needs: model, plan, data, optimizer and loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from qwen_ui.data import Examples, padding_id
from qwen_ui.engine.accelerator import make_accelerator, make_process_group
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import Loop, OpenCaches
from qwen_ui.engine.lora import adapted_modules, add_adapters
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey
from qwen_ui.engine.prefix_cut import block_list
from qwen_ui.engine.prefix_resident import ResidentPrefix, resident_budget, resident_bytes
from qwen_ui.engine.prefix_source import Cache
from qwen_ui.engine.rates import SuggestedRate, peak_rate
from qwen_ui.engine.recompute import recompute
from qwen_ui.engine.schedule import rate_of
from qwen_ui.engine.split import read_split
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import FreezePlan, Selection, apply, resolve
from qwen_ui.model import Anatomy, embedding_rows, length_note, open_model
from qwen_ui.model.libraries import PreTrainedModel, transformers_version
from qwen_ui.model.weights import (
    computes_bfloat16,
    folder_fingerprint,
    load_model,
    load_tokenizer,
    training_dtype,
    weights_folder,
)
from qwen_ui.runs import RunSpec, Tell, tell_nobody

# Share of the cache's budget that the evaluation examples get, and the text to keep again.
EVALUATION_SHARE = 10


@dataclass(frozen=True)
class Base:
    """The weights that a run starts from, and which of them it trains."""

    selection: Selection
    folder: Path

    @cached_property
    def fingerprint(self) -> str:
        """Of the weights; reads all of them when it is first asked for."""
        return folder_fingerprint(self.folder)


@dataclass(frozen=True, slots=True)
class TokenizedData:
    """The examples of a run, and the tokenizer that made them.

    Attributes:
        keep: of the text to keep; None where there is none.
    """

    tokenizer: Any
    training: Examples
    evaluation: Examples
    keep: Examples | None


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
    trainee = _load(spec, base, accelerator.device)
    rate = peak_rate(spec, base.selection)
    loop = _make_loop(spec, base, data, accelerator, trainee, rate.rate)
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
    notes += [rate.note, narrowed, trainee.why_uncut, *loop.verify()]
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


def _load(spec: RunSpec, base: Base, device: torch.device) -> Trainee:
    """The model with its weights and its plan applied."""
    anatomy = base.selection.anatomy
    dtype = training_dtype(spec.model.dtype, anatomy, device)
    # Sharded weights go to their devices a shard at a time.
    place = torch.device("cpu") if spec.resources.sharded else device
    model = load_model(base.folder, anatomy, dtype, place)
    apply(base.selection, model)
    if spec.model.lora_rank:
        add_adapters(model, base.selection, spec.model.lora_rank, spec.optimization.seed)
    if spec.resources.gradient_checkpointing:
        recompute(block_list(model, anatomy)[base.selection.prefix_blocks :])
    return Trainee(model, base.selection, cache_prefix=spec.resources.caches_prefix)


def _make_loop(
    spec: RunSpec,
    base: Base,
    data: TokenizedData,
    accelerator: Accelerator,
    trainee: Trainee,
    peak_rate: float,
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
        open_caches=_cache_opener(spec, base, data, trainee, group.device),
        group=group,
        steps=settings.steps,
        keep=data.keep,
    )


def _cache_opener(
    spec: RunSpec, base: Base, data: TokenizedData, trainee: Trainee, device: torch.device
) -> OpenCaches:
    """Opens the caches of the prefix's outputs for the examples of each kind."""

    def opened(width: int, dtype: torch.dtype) -> tuple[Cache | None, Cache | None, Cache | None]:
        room = resident_budget(device)

        def cache(examples: Examples, budget: int) -> Cache:
            nonlocal room
            taken = resident_bytes(examples, width, dtype)
            if taken <= room:
                room -= taken
                return ResidentPrefix(examples, width, dtype, device)
            key = PrefixKey(
                weights=base.fingerprint,
                configuration=trainee.model.config.to_json_string(),
                tokens=examples.fingerprint,
                depth=trainee.prefix_blocks,
                dtype=f"{dtype} of {trainee.model.dtype} {spec.resources.mixed_precision}",
                device=device.type,
                versions=f"{torch.__version__} {transformers_version}",
            )
            total = spec.resources.prefix_budget_bytes
            return PrefixCache(key, examples, width, dtype, budget, total)

        budget = spec.resources.prefix_budget_bytes
        for_evaluation = budget // EVALUATION_SHARE
        # Those of the evaluation examples are read after every run, and so is the text to keep.
        evaluation = cache(data.evaluation, for_evaluation)
        keep = None if data.keep is None else cache(data.keep, for_evaluation)
        # On a CPU keeping costs a run of one epoch 8 % and saves the next run with the same frozen
        # blocks two thirds (docs/decisions/engine.md); a GPU computes them anew for less.
        if device.type != "cpu" and not _read_again(spec, data):
            return None, evaluation, keep
        return cache(data.training, budget - 2 * for_evaluation), evaluation, keep

    return opened


def _read_again(spec: RunSpec, data: TokenizedData) -> bool:
    """Whether the run comes to training examples a second time."""
    settings = spec.optimization
    if settings.learning_rate_finder:  # every rate is tried on the same ones
        return True
    batch = settings.batch_size * settings.gradient_accumulation_steps * spec.resources.processes
    return settings.steps * batch > len(data.training.items)
