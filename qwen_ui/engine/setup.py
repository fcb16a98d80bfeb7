"""A spec -> all that its run needs: model, plan, data, optimizer and loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from qwen_ui.data import Examples, load_split
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.lora import add_adapters
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.prefix_cache import KeptPrefix, PrefixKey
from qwen_ui.engine.process_group import make_accelerator, make_team
from qwen_ui.engine.rates import SuggestedRate, suggest_learning_rate
from qwen_ui.engine.schedule import rate_of
from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Selection, apply, resolve
from qwen_ui.model import open_model
from qwen_ui.model.libraries import PreTrainedModel, transformers_version
from qwen_ui.model.weights import (
    folder_fingerprint,
    load_model,
    load_tokenizer,
    training_dtype,
    weights_folder,
)
from qwen_ui.runs import RunSpec


@dataclass(frozen=True)
class Prepared:
    """A run that can begin.

    Attributes:
        fingerprint: of the base's weights.
        rate: the highest learning rate, and where it comes from.
        notes: sentences that the person should read.
    """

    spec: RunSpec
    selection: Selection
    model: PreTrainedModel
    tokenizer: Any
    training: Examples
    evaluation: Examples
    loop: Loop
    accelerator: Accelerator
    fingerprint: str
    rate: SuggestedRate
    notes: tuple[str, ...]


def set_up(spec: RunSpec, folder: Path) -> Prepared:
    """Everything of a run, its shortcuts proven on the first batch.

    Raises:
        UserError: the model, the plan, the data or a setting cannot be used.
    """
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    torch.manual_seed(spec.seed)
    anatomy = open_model(spec.model)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    if not selection.names:
        raise PlanError("The plan trains nothing. Choose at least one parameter.")
    source = weights_folder(anatomy)
    tokenizer = load_tokenizer(source)
    training, evaluation = load_split(
        spec.data,
        spec.eval_data,
        spec.eval_fraction,
        tokenizer,
        spec.sequence_length,
        packing=spec.packing,
        seed=spec.seed,
    )
    accelerator = make_accelerator(spec, folder)
    model = load_model(source, anatomy, training_dtype(spec.dtype, anatomy, accelerator.device))
    apply(selection, model)
    if spec.lora_rank:
        add_adapters(model, selection, spec.lora_rank, spec.seed)
    trainee = Trainee(model, selection, keep_prefix=spec.prefix_cache == "auto")
    fingerprint = folder_fingerprint(source)
    rate = _rate(spec, selection)
    loop = _loop(
        spec,
        trainee,
        selection,
        training,
        evaluation,
        tokenizer,
        accelerator,
        fingerprint,
        rate.rate,
    )
    notes = [*selection.warnings, *training.notes, trainee.why_uncut, *loop.settle()]
    return Prepared(
        spec,
        selection,
        model,
        tokenizer,
        training,
        evaluation,
        loop,
        accelerator,
        fingerprint,
        rate,
        tuple(note for note in notes if note),
    )


def _stack(model: nn.Module, selection: Selection) -> nn.ModuleList:
    stack = model.get_submodule(selection.anatomy.stack)
    assert isinstance(stack, nn.ModuleList), type(stack)
    return stack


def _rate(spec: RunSpec, selection: Selection) -> SuggestedRate:
    if spec.learning_rate is None:
        return suggest_learning_rate(selection, lora=spec.lora_rank > 0)
    return SuggestedRate(spec.learning_rate, "given")


def _loop(
    spec: RunSpec,
    trainee: Trainee,
    selection: Selection,
    training: Examples,
    evaluation: Examples,
    tokenizer: Any,
    accelerator: Accelerator,
    fingerprint: str,
    peak: float,
) -> Loop:
    stack = _stack(trainee.model, selection) if spec.sharded else None
    team = make_team(accelerator, trainee, stack)
    # After the plan and after the move to the device: an optimizer made earlier would hold others.
    optimizer = MasterAdamW(
        trainee.model, weight_decay=spec.weight_decay, gradient_clip=spec.gradient_clip
    )
    return Loop(
        trainee,
        optimizer,
        training,
        evaluation,
        rate=rate_of(
            peak=peak,
            steps=spec.steps,
            warmup=spec.warmup,
            schedule=spec.schedule,
            range_test=spec.rate_test,
        ),
        batch_size=spec.batch_size,
        accumulation=spec.accumulation,
        seed=spec.seed,
        pad=tokenizer.pad_token_id or 0,
        kept=_kept(spec, trainee, training, evaluation, fingerprint, team.device),
        team=team,
    )


def _kept(
    spec: RunSpec,
    trainee: Trainee,
    training: Examples,
    evaluation: Examples,
    fingerprint: str,
    device: torch.device,
) -> tuple[KeptPrefix | None, KeptPrefix | None]:
    if trainee.cut is None:
        return None, None
    width = trainee.model.config.get_text_config().hidden_size
    evaluation_share = spec.prefix_budget_bytes // 10
    shares = (spec.prefix_budget_bytes - evaluation_share, evaluation_share)
    dtype = trainee.model.dtype
    pairs = zip((training, evaluation), shares, strict=True)
    first, second = (
        KeptPrefix(
            PrefixKey(
                weights=fingerprint,
                tokens=examples.fingerprint,
                depth=trainee.prefix_blocks,
                dtype=f"{dtype} {spec.mixed_precision}",
                device=device.type,
                versions=f"{torch.__version__} {transformers_version}",
            ),
            examples,
            width,
            dtype,
            share,
        )
        for examples, share in pairs
    )
    return first, second
