"""LoRA through `peft`, as a reference beside freezing: the chosen weights stay, adapters train.

W' = W + s B A with A (rank, inputs), B (outputs, rank) and B = 0 to begin with
(arXiv 2106.09685, section 4.1). Here s = 1: `lora_alpha` equals the rank, as by `peft`'s default.
"""

from __future__ import annotations

import importlib.util

import torch
from torch import nn

from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import Selection
from qwen_ui.model import Module

_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"


def check_peft() -> None:
    """Say before launch that `peft` is missing.

    Raises:
        SettingsError: it is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise SettingsError("LoRA needs the package peft. Install it with `pip install peft`.")


def adapted_modules(selection: Selection) -> list[str]:
    """The linear modules whose weights are selected.

    Raises:
        PlanError: there is none.
    """
    modules = selection.anatomy.modules_by_name
    owners = [p.name.removesuffix(".weight") for p in selection.parameters]
    linear = [name for name in owners if name in modules and _is_linear(modules[name])]
    if not linear:
        raise PlanError(
            "LoRA adapts linear modules, and the plan selects the weight of none. Choose "
            "'attention' or 'mlp'."
        )
    return linear


def _is_linear(module: Module) -> bool:
    return (module.home, module.class_name) == (nn.Linear.__module__, nn.Linear.__name__)


def add_adapters(model: nn.Module, selection: Selection, rank: int, seed: int) -> None:
    """Put adapters on the linear modules whose weights are selected; they alone train then.

    Raises:
        PlanError: there is none.
    """
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415  optional, and slow

    config = LoraConfig(
        r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=adapted_modules(selection)
    )
    torch.manual_seed(seed)
    inject_adapter_in_model(config, model)


def weight_changes(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What adapters add to each weight: B A in float32, by the weight's name in the base."""
    changes = {}
    for name, a in tensors.items():
        if name.endswith(_A):
            module = name.removesuffix(_A)
            changes[f"{module}.weight"] = tensors[module + _B].float() @ a.float()
    return changes
