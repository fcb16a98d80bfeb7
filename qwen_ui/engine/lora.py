"""LoRA through `peft`, as a reference beside freezing: the chosen weights stay, adapters train.

W' = W + s B A with A (rank, inputs), B (outputs, rank) and B = 0 to begin with
(arXiv 2106.09685, section 4.1). Here s = 1: `lora_alpha` equals the rank, as by `peft`'s default.
Adapters go on linear modules, on GPT-2's `Conv1D` (a linear module that holds its weight the other
way round) and on stacked experts (E matrices in one tensor, each with its own A and B). The file is
longer than others because every name that `peft` gives is made and read here, and nowhere else.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import Selection
from qwen_ui.model import Module, Parameter, Role, is_bias
from qwen_ui.model.libraries import Conv1D

_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"
_WRAPPED = ".base_layer"


@dataclass(frozen=True, slots=True)
class Adapted:
    """What LoRA reaches of a plan.

    Attributes:
        modules: names of the linear modules whose weights are selected.
        experts: names of the selected tensors that stack the matrices of several experts.
        left: what is selected and gets no adapter.
    """

    modules: tuple[str, ...]
    experts: tuple[str, ...]
    left: tuple[Parameter, ...]

    @property
    def note(self) -> str:
        """The sentence on what gets no adapter; "" where all does."""
        if not self.left:
            return ""
        counts = Counter(_called(parameter) for parameter in self.left)
        listed = ", ".join(f"{what} ({count})" for what, count in counts.items())
        return (
            "LoRA adapts matrices alone. Of what the plan selects, these tensors stay as they are: "
            f"{listed}."
        )


def check_peft() -> None:
    """Say before launch that `peft` is missing.

    Raises:
        SettingsError: it is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise SettingsError("LoRA needs the package peft. Install it with `pip install peft`.")


def adapted_modules(selection: Selection) -> Adapted:
    """Where adapters go, and what of the plan they do not reach.

    Raises:
        PlanError: nowhere.
    """
    modules, experts, left = [], [], []
    for parameter in selection.parameters:
        owner = selection.anatomy.modules_by_name[parameter.module]
        if _is_linear(owner) and parameter.name == f"{owner.name}.weight":
            modules.append(owner.name)
        elif _stacks_matrices(parameter, owner):
            experts.append(parameter.name)
        else:
            left.append(parameter)
    if not modules and not experts:
        counts = Counter(_called(parameter) for parameter in left)
        raise PlanError(
            "LoRA adapts matrices (linear modules and stacked experts), and the plan selects none: "
            f"{', '.join(f'{what} ({count})' for what, count in counts.items())}. Choose other "
            "parts of the model, or train these without LoRA."
        )
    return Adapted(tuple(modules), tuple(experts), tuple(left))


_LINEAR = frozenset((cls.__module__, cls.__name__) for cls in (nn.Linear, Conv1D))


def _is_linear(module: Module) -> bool:
    """Exactly these classes: a subclass may do more than multiply, and `peft` would drop that."""
    return (module.home, module.class_name) in _LINEAR


def _stacks_matrices(parameter: Parameter, owner: Module) -> bool:
    """Whether a tensor is one matrix an expert: not a convolution's, nor vectors with more axes."""
    return (
        len(parameter.shape) == 3
        and min(parameter.shape) > 1
        and not owner.home.startswith(nn.Conv1d.__module__)
        and not is_bias(parameter.name)
        and "bias" not in parameter.name.rpartition(".")[2]
    )


def _called(parameter: Parameter) -> str:
    """What a tensor without an adapter is called in a sentence."""
    leaf = parameter.name.rpartition(".")[2]
    if is_bias(parameter.name) or "bias" in leaf:
        return "biases"
    if parameter.role in (Role.NORM, Role.EMBEDDING, Role.ROUTER):
        return {Role.NORM: "norms", Role.EMBEDDING: "embeddings"}.get(parameter.role, "routers")
    return parameter.kind if parameter.block is not None else parameter.name


def add_adapters(model: nn.Module, selection: Selection, rank: int, seed: int) -> None:
    """Put adapters on the matrices that are selected; they alone train then.

    Raises:
        PlanError: there is none.
    """
    from peft import inject_adapter_in_model  # noqa: PLC0415  optional, and slow

    config = lora_config(model, selection, rank)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        # Where a model has both kinds of module, peft sets it for each and says so each time.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        inject_adapter_in_model(config, model)


def lora_config(model: nn.Module, selection: Selection, rank: int) -> Any:
    """`peft`'s configuration of these adapters.

    Raises:
        PlanError: there is none.
    """
    from peft import LoraConfig  # noqa: PLC0415  optional, and slow

    adapted = adapted_modules(selection)
    turned = any(isinstance(model.get_submodule(name), Conv1D) for name in adapted.modules)
    return LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        target_modules=list(adapted.modules),
        target_parameters=list(adapted.experts) or None,
        fan_in_fan_out=turned,
    )


def by_weight(model: nn.Module, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Adapters of this model by the weight that each belongs to, in that weight's own layout.

    `peft` wraps a module once for each of its tensors, so that its names say neither which tensor
    is meant nor which way round it is held. Here lora_B @ lora_A is what is added to the weight:
    (outputs, rank) @ (rank, inputs) for a linear module, the other way round for a `Conv1D`, and
    (experts, ..., rank) @ (experts, rank, ...) for stacked experts.

    Args:
        tensors: by `peft`'s names.
    """
    found = {}
    for name, layer in _adapted_layers(model):
        a, b = tensors[name + _A], tensors[name + _B]
        if layer.experts:
            a = a.reshape(layer.experts, -1, a.shape[-1])
            b = b.reshape(b.shape[0], -1, layer.experts).permute(2, 0, 1)
        place = layer.weight
        found[place + _A], found[place + _B] = (b.mT, a.mT) if layer.turned else (a, b)
    return found


def adapted_weights(model: nn.Module) -> dict[str, str]:
    """Name of each adapted layer of the model to the name of the weight that it adapts."""
    return {
        name: layer.weight if layer.experts else f"{layer.weight}.weight"
        for name, layer in _adapted_layers(model)
    }


def put_adapters(model: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Give the adapters of this model these values: the way back from `by_weight`.

    Raises:
        KeyError: an adapter of the model has none.
    """
    for _, layer in _adapted_layers(model):
        a, b = tensors[layer.weight + _A], tensors[layer.weight + _B]
        if layer.turned:
            a, b = b.mT, a.mT
        if layer.experts:
            a, b = a.flatten(0, 1), b.permute(1, 2, 0).flatten(1)
        for held, value in ((layer.module.lora_A, a), (layer.module.lora_B, b)):
            held["default"].weight = nn.Parameter(value.contiguous(), requires_grad=False)


@dataclass(frozen=True, slots=True)
class _AdaptedLayer:
    """A layer of `peft`'s.

    Attributes:
        weight: the weight that it adapts, by the name that a delta gives its adapters.
        turned: whether the weight is held the other way round.
        experts: how many matrices the weight stacks; 0 for a plain one.
    """

    module: Any
    weight: str
    turned: bool
    experts: int


def _adapted_layers(model: nn.Module) -> Iterator[tuple[str, _AdaptedLayer]]:
    """(name, layer) of each adapter in the model."""
    from peft.tuners.lora.layer import LoraLayer, ParamWrapper  # noqa: PLC0415

    for name, module in model.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        base, place = module.get_base_layer(), name.replace(_WRAPPED, "")
        if isinstance(module, ParamWrapper):
            turned = bool(getattr(base, "is_transposed", False))
            weight = f"{place}.{module.parameter_name}"
            yield name, _AdaptedLayer(module, weight, turned, module.num_experts)
        else:
            yield name, _AdaptedLayer(module, place, isinstance(base, Conv1D), 0)


def turned_adapters(
    tensors: dict[str, torch.Tensor], strengths: dict[str, float]
) -> dict[str, torch.Tensor]:
    """Adapters that add s B A: every B multiplied by the strength of its weight.

    Args:
        tensors: as `by_weight` names them.
        strengths: by the names that `WeightChanges` gives.
    """
    found = dict(tensors)
    for name, a in tensors.items():
        if name.endswith(_A):
            place = name.removesuffix(_A)
            weight = place if a.dim() == 3 else f"{place}.weight"
            found[place + _B] = tensors[place + _B] * strengths.get(weight, 1.0)
    return found


class WeightChanges(Mapping[str, torch.Tensor]):
    """What adapters add to each weight: B A in float32, by the weight's name in the base.

    A product is computed whenever it is asked for, and held by nobody: of a large model all of
    them together are as large as its weights.

    Args:
        tensors: as `by_weight` names them.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self._adapters: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for name, a in tensors.items():
            if name.endswith(_A):
                place = name.removesuffix(_A)
                weight = place if a.dim() == 3 else f"{place}.weight"
                self._adapters[weight] = (tensors[place + _B], a)

    def __getitem__(self, weight: str) -> torch.Tensor:
        b, a = self._adapters[weight]
        return b.float() @ a.float()

    def __iter__(self) -> Iterator[str]:
        return iter(self._adapters)

    def __len__(self) -> int:
        return len(self._adapters)

    def shape(self, weight: str) -> torch.Size:
        """The shape of a product, which is not computed for it."""
        b, a = self._adapters[weight]
        return torch.Size((*b.shape[:-1], a.shape[-1]))
