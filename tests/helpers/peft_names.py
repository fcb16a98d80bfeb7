"""What the installed peft trains of a weightless model, asked of the model that it makes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftType, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.lora.layer import ParamWrapper
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import TrainableTokensWrapper
from transformers import PreTrainedConfig

from qwen_ui.model import Anatomy, build_on_meta

WRAPPERS = (".base_layer", ".original_module", ".modules_to_save.default")


@dataclass(frozen=True, slots=True)
class Trained:
    """Attributes: first names of the tensors, and how many elements train, adapters' included."""

    names: frozenset[str]
    elements: int


def peft_trains(
    configuration: PreTrainedConfig,
    anatomy: Anatomy,
    settings: dict[str, Any],
    method: str = "LORA",
) -> Trained | None:
    """Tensors with an adapter, and those that train themselves or as a copy.

    None where peft refuses the settings.
    """
    model = build_on_meta(configuration, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            config = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(method)](**settings)
            wrapped = get_peft_model(model, config, low_cpu_mem_usage=True)
        except (ValueError, KeyError, TypeError):
            return None
    names = set()
    for name, module in wrapped.named_modules():
        if isinstance(module, TrainableTokensWrapper):
            names.add(f"{_plain(name)}.weight")
        elif isinstance(module, BaseTunerLayer) and not name.endswith(".token_adapter"):
            leaf = module.parameter_name if isinstance(module, ParamWrapper) else "weight"
            names.add(f"{_plain(name)}.{leaf}")
    for name, parameter in wrapped.named_parameters():
        if parameter.requires_grad and _plain(name) in anatomy.by_name:
            names.add(_plain(name))
    first = frozenset(anatomy.by_name[name].name for name in names)
    return Trained(first, wrapped.get_nb_trainable_parameters()[0])


def _plain(name: str) -> str:
    name = name.removeprefix("base_model.model.")
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name
