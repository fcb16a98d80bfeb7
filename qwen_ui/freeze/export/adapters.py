"""A selection as adapters: PEFT's settings, and those of two tools that build on it.

Matrices get an adapter, whole modules beside them a trained copy, biases by PEFT's own setting.
What is written was held against the tool's rule (`freeze.tools`) and selects exactly the names;
where no form does, None. Of the forms that do, the shortest is taken: ends of names, the same in
some layers, one expression, whole names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qwen_ui.errors import PlanError
from qwen_ui.freeze.selection import Selection
from qwen_ui.freeze.tools.findings import Reading
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.peft import read_peft
from qwen_ui.freeze.tools.torchtune import ATTENTION, MLP, read_torchtune
from qwen_ui.freeze.tools.unsloth import OWN_CLASSES, read_unsloth
from qwen_ui.model import MAX_PATTERN, is_bias, pattern_for

RANK = 16
Settings = dict[str, Any]
Read = Callable[[Settings], Reading]


def peft_settings(selection: Selection) -> Settings | None:
    """Settings of `LoraConfig` that adapt or train exactly the selection; None where none do."""
    anatomy = selection.anatomy
    return _first(selection, lambda values: read_peft(values, anatomy), expressions=True)


def unsloth_settings(selection: Selection) -> Settings | None:
    """Arguments of `FastLanguageModel.get_peft_model` likewise."""
    anatomy = selection.anatomy
    # A type without a class of its own narrows a list unless every part is asked for.
    every = {} if anatomy.model_type in OWN_CLASSES else {"finetune_vision_layers": True}
    found = _first(
        selection, lambda values: read_unsloth({**values, **every}, anatomy), expressions=False
    )
    return None if found is None else {**found, **every}


def torchtune_settings(selection: Selection) -> Settings | None:
    """The part of a torchtune recipe that selects likewise."""
    anatomy = selection.anatomy
    leaves = {p.module.rpartition(".")[2] for p in selection.parameters if p.block is not None}
    outside = [p for p in selection.parameters if p.block is None]
    values: Settings = {
        "lora_attn_modules": [own for own, theirs in ATTENTION.items() if theirs in leaves],
        "apply_lora_to_mlp": bool(leaves & set(MLP)),
        "apply_lora_to_output": bool(outside),
        "lora_rank": RANK,
        "lora_alpha": 2 * RANK,
    }
    model = {"_component_": "lora_", **values}
    fits = _fits(selection, lambda _: read_torchtune({"model": model}, anatomy), {})
    return values if fits else None


def _first(selection: Selection, read: Read, *, expressions: bool) -> Settings | None:
    for values in _forms(selection, expressions=expressions):
        if _fits(selection, read, values):
            return values
    return None


def _fits(selection: Selection, read: Read, values: Settings) -> bool:
    """Whether the tool would train exactly the selection, and refuse nothing."""
    try:
        found = read(values)
    except PlanError:
        return False
    refused = any(problem.severity == "error" for problem in found.problems)
    return not refused and found.names == selection.names


def _forms(selection: Selection, *, expressions: bool) -> Iterator[Settings]:
    anatomy = selection.anatomy
    kinds = {part.name: part.kind for part in parts_of(anatomy).listed}
    modules, stacked, saved = [], [], []
    for parameter in selection.parameters:
        kind = kinds.get(parameter.module, "other")
        if kind in ("linear", "conv1d") and not is_bias(parameter.name):
            modules.append(parameter.module)
        elif kind in ("linear", "conv1d"):
            continue
        elif len(parameter.shape) == 3:
            stacked.append(parameter.name)
        else:
            saved.append(parameter.module)
    if not modules and not stacked:
        return
    blocks = sorted(
        {p.block for p in selection.parameters if p.block is not None and p.module in set(modules)}
    )
    leaves = list(dict.fromkeys(module.rpartition(".")[2] for module in modules))
    targets: list[Settings] = [
        {"target_modules": leaves},
        {"target_modules": leaves, "layers_to_transform": blocks},
    ]
    pattern = pattern_for(modules)
    if expressions and modules and len(pattern) <= MAX_PATTERN:
        targets.append({"target_modules": pattern})
    targets.append({"target_modules": modules})
    biased = any(is_bias(p.name) for p in selection.parameters)
    common: Settings = {"r": RANK, "lora_alpha": 2 * RANK, "lora_dropout": 0.0}
    if stacked:
        common["target_parameters"] = stacked
    if saved:
        common["modules_to_save"] = list(dict.fromkeys(saved))
    for bias in ("lora_only", "all") if biased else ("none",):
        for target in targets:
            yield {**common, **target, "bias": bias}
