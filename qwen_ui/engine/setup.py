"""A spec -> all that its run needs: model, plan, data, optimizer and loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator

from qwen_ui.engine.accelerator import make_accelerator
from qwen_ui.engine.hardware import free_bytes
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.lora import adapted_modules
from qwen_ui.engine.parts import Base, TokenizedData
from qwen_ui.engine.prefix_choice import choose_prefix
from qwen_ui.engine.proven_loop import proven_loop
from qwen_ui.engine.rates import SuggestedRate, peak_rate
from qwen_ui.engine.split import read_split
from qwen_ui.engine.stream.streamed_run import (
    samples_note,
    streams,
)
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import Anatomy, length_note, open_model
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.weights import (
    computes_bfloat16,
    load_tokenizer,
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
    accelerator = make_accelerator(spec.resources, folder)
    _set_kernels(accelerator.device)
    narrowed = bfloat16_note(spec, base.selection.anatomy, accelerator.device)
    device = accelerator.device
    choice = choose_prefix(spec, base.selection, device.type, free_bytes(device))
    rate = peak_rate(spec, base.selection)
    loop, proven, held = proven_loop(spec, base, data, accelerator, choice.way, rate.rate, tell)
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
        notes.append(samples_note(loop.trainee))
    streamed = choice.sentence if streams(loop.trainee) else ""
    notes += [rate.note, narrowed, streamed, held, *proven]
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
