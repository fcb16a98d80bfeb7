"""Torch module -> `Anatomy`.

Every tensor is listed once. Where one tensor has two names (a tied head), it is known by the
first and the other is an alias; ties are found by identity, never by comparing names or values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from qwen_ui.model.anatomy import Anatomy, Block, Module, Parameter, Role
from qwen_ui.model.blocks import Stack, find_stack
from qwen_ui.model.libraries import PreTrainedConfig, PreTrainedModel
from qwen_ui.model.roles import role_of


def read_anatomy(
    module: nn.Module,
    *,
    source: str,
    configuration: Any = None,
    weights_folder: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Anatomy:
    """The anatomy of a torch module, real or fake."""
    stack = find_stack(module, configuration)
    names = _names_by_tensor(module)
    parameters = tuple(_read_parameters(module, stack, names))
    configuration = configuration or getattr(module, "config", None)
    anatomy = Anatomy(
        source=source,
        model_type=getattr(configuration, "model_type", type(module).__name__),
        dtype=_most_common_dtype(parameters),
        parameters=parameters,
        modules=tuple(_read_modules(module, stack)),
        blocks=tuple(_read_blocks(module, stack)),
        stack=stack.name,
        config=_values(configuration),
        buffers=tuple(
            sorted(module.state_dict().keys() - {n for ns in names.values() for n in ns})
        ),
        notes=notes,
        weights_folder=weights_folder,
        # Of the module's own configuration: BART's says yes and its decoder's, a copy, says no.
        encoder_decoder=bool(getattr(getattr(module, "config", None), "is_encoder_decoder", False)),
        load_configuration=None if configuration is None else lambda: configuration,
    )
    own_total = sum(parameter.numel() for parameter in module.parameters())
    assert anatomy.total_parameters == own_total, (anatomy.total_parameters, own_total)
    return anatomy


def _values(configuration: Any) -> dict[str, Any]:
    """A configuration's values as JSON has them, so that a shipped anatomy equals a fresh one."""
    if not isinstance(configuration, PreTrainedConfig):
        return {}
    values: dict[str, Any] = json.loads(configuration.to_json_string(use_diff=False))
    return values


def _names_by_tensor(module: nn.Module) -> dict[int, tuple[str, ...]]:
    names: dict[int, tuple[str, ...]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names[id(parameter)] = (*names.get(id(parameter), ()), name)
    return names


def _head_of(module: nn.Module) -> nn.Module | None:
    """The module that computes the logits, where the model is one of transformers' and has one."""
    return module.get_output_embeddings() if isinstance(module, PreTrainedModel) else None


def _read_parameters(
    module: nn.Module, stack: Stack, names: dict[int, tuple[str, ...]]
) -> Iterator[Parameter]:
    modules = dict(module.named_modules(remove_duplicate=False))
    head = _head_of(module)
    for name, tensor in module.named_parameters():
        block, kind = stack.locate(name)
        yield Parameter(
            name=name,
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            block=block,
            kind=kind,
            role=role_of(name, modules, head=head, block=stack.block_name(block)),
            aliases=names[id(tensor)][1:],
        )


def _read_modules(module: nn.Module, stack: Stack) -> Iterator[Module]:
    modules = dict(module.named_modules(remove_duplicate=False))
    head = _head_of(module)
    for name, child in modules.items():
        own = [f"{name}.{p}" if name else p for p, _ in child.named_parameters(recurse=False)]
        block, _ = stack.locate(name)
        roles = {role_of(p, modules, head=head, block=stack.block_name(block)) for p in own}
        yield Module(
            name=name,
            class_name=type(child).__name__,
            block=block,
            role=roles.pop() if len(roles) == 1 else Role.OTHER,
            own=tuple(own),
            parameters=sum(p.numel() for p in child.parameters()),
            settings=child.extra_repr().replace("\n", " ")[:300],
            home=type(child).__module__,
        )


def _read_blocks(module: nn.Module, stack: Stack) -> Iterator[Block]:
    if not stack.name:
        return
    for index, block in enumerate(module.get_submodule(stack.name).children()):
        yield Block(
            index=index,
            name=f"{stack.name}.{index}",
            class_name=type(block).__name__,
            parameters=sum(p.numel() for p in block.parameters()),
        )


def _most_common_dtype(parameters: tuple[Parameter, ...]) -> str:
    elements: dict[str, int] = {}
    for parameter in parameters:
        elements[parameter.dtype] = elements.get(parameter.dtype, 0) + parameter.numel
    return max(elements, key=lambda dtype: elements[dtype], default="float32")
