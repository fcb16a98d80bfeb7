"""`Anatomy`: what a model is made of, by name. Records only: `reading` makes them.

Every tensor is listed once. Where one tensor has two names (a tied head), it is known by the
first and the other is an alias; ties are found by identity, never by comparing names or values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from qwen_ui.model.config_values import language_config


class Role(StrEnum):
    """The eight roles; the values are what pages, plans and JSON show."""

    ATTENTION = "attention"
    MLP = "mlp"
    NORM = "norm"
    EMBEDDING = "embedding"
    HEAD = "head"
    ROUTER = "router"
    EXPERT = "expert"
    OTHER = "other"


def dtype_bytes(dtype: str) -> int:
    """Bytes of one element of this dtype, by torch's name (`bfloat16`: 2)."""
    bits = re.search(r"\d+", dtype)
    return max(int(bits[0]) // 8, 1) if bits else 1


def is_bias(name: str) -> bool:
    """Whether a parameter is a bias, by its name or its kind: the last part is `bias`."""
    return name.rpartition(".")[2] == "bias"


def bias_beside(weight: str) -> str:
    """Name (or kind) that the bias of this weight has, where the model has it."""
    return f"{weight.removesuffix('weight')}bias"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tensor.

    Attributes:
        name: its first name in the module tree.
        shape: sizes of its dimensions.
        dtype: torch's name without the prefix (`bfloat16`).
        block: index of its decoder block; None outside the blocks.
        kind: its path inside its block (`self_attn.q_proj.bias`); its full name outside the blocks.
        role: what it does; see `qwen_ui.model.roles`.
        aliases: its other names (a tied head).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    block: int | None
    kind: str
    role: Role
    aliases: tuple[str, ...] = ()

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.numel * dtype_bytes(self.dtype)

    @property
    def module(self) -> str:
        """Name of the module that owns it."""
        return self.name.rpartition(".")[0]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class Module:
    """One module of the tree.

    Attributes:
        name: its path; empty for the model itself.
        class_name: name of its class.
        block: index of the block it belongs to; None outside the blocks.
        role: the role that its own parameters share, `other` where it has none or they differ.
        own: names of the tensors that it holds itself, aliases included.
        parameters: elements in its subtree, each tensor once.
        settings: the module's own one-line description (`in_features=1536, ...`), often empty.
        home: the Python module that its class is defined in.
    """

    name: str
    class_name: str
    block: int | None
    role: Role
    own: tuple[str, ...]
    parameters: int
    settings: str = ""
    home: str = ""

    @property
    def depth(self) -> int:
        return self.name.count(".") + 1 if self.name else 0


@dataclass(frozen=True, slots=True)
class Block:
    """A decoder layer; `parameters` counts its elements."""

    index: int
    name: str
    class_name: str
    parameters: int


@dataclass(frozen=True, slots=True)
class Kind:
    """The same parameter in every block that has it.

    Attributes:
        kind: path inside the block, or the full name outside the blocks.
        shape: of one tensor; where blocks differ, of the first that has it.
        parameters: elements over all `blocks`.
        blocks: indexes of the blocks that have it; empty outside the blocks.
    """

    kind: str
    role: Role
    shape: tuple[int, ...]
    parameters: int
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class Anatomy:
    """What a model is made of.

    Attributes:
        source: what it was opened from, as the person named it.
        model_type: transformers' name for the architecture.
        dtype: of the configuration, torch's name.
        parameters: every tensor once, in tree order.
        modules: every module, in tree order (parents before children).
        blocks: the decoder layers, in order.
        stack: name of the ModuleList that holds them; empty where there is none.
        config: the configuration's values.
        buffers: names of what is stored beside the parameters and never trained.
        notes: sentences on how its weights differ from what the configuration says.
        weights_folder: folder with the safetensors files; None where they are not on this machine.
        load_configuration: gives transformers' object; None for a bare module.
        encoder_decoder: whether what is built reads its text through an encoder.
        all_reached: whether text is known to give every parameter a gradient.
    """

    source: str
    model_type: str
    dtype: str
    parameters: tuple[Parameter, ...]
    modules: tuple[Module, ...]
    blocks: tuple[Block, ...]
    stack: str
    config: dict[str, Any] = field(repr=False)
    buffers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    weights_folder: Path | None = None
    load_configuration: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    encoder_decoder: bool = False
    all_reached: bool = field(default=False, compare=False)

    @cached_property
    def configuration(self) -> Any:
        """transformers' object, to build the skeleton again; None for a bare module."""
        return None if self.load_configuration is None else self.load_configuration()

    @cached_property
    def total_parameters(self) -> int:
        """Elements in all, each tensor once."""
        return sum(parameter.numel for parameter in self.parameters)

    @cached_property
    def bytes(self) -> int:
        """Bytes of all tensors in the dtypes of the architecture."""
        return sum(parameter.bytes for parameter in self.parameters)

    @property
    def block_count(self) -> int:
        return len(self.blocks)

    def _repr_html_(self) -> str:
        """How it shows itself in a notebook."""
        from qwen_ui.model.notebook import anatomy_view  # noqa: PLC0415  loads templates

        return anatomy_view(self)

    def layer_type(self, name: str) -> str:
        """What the configuration calls the block of this name (`linear_attention`), or ""."""
        types = language_config(self.config).get("layer_types")
        parent, _, leaf = name.rpartition(".")
        if parent != self.stack or not isinstance(types, list) or len(types) != len(self.blocks):
            return ""
        return str(types[int(leaf)]) if leaf.isdecimal() else ""

    @cached_property
    def modules_by_name(self) -> dict[str, Module]:
        return {module.name: module for module in self.modules}

    @cached_property
    def by_name(self) -> dict[str, Parameter]:
        """Every name, aliases included, to its tensor."""
        return {name: parameter for parameter in self.parameters for name in parameter.names}

    @cached_property
    def tied(self) -> tuple[tuple[str, ...], ...]:
        """Groups of names that are one tensor."""
        return tuple(p.names for p in self.parameters if p.aliases)

    @property
    def head_is_tied(self) -> bool:
        """Whether a tensor outside the blocks is embedding and head at once."""
        return any(p.aliases and p.block is None for p in self.parameters)

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds in tree order, those of the blocks and those outside."""
        grouped: dict[tuple[bool, str], list[Parameter]] = {}
        for parameter in self.parameters:
            grouped.setdefault((parameter.block is None, parameter.kind), []).append(parameter)
        return tuple(
            Kind(
                kind=kind,
                role=members[0].role,
                shape=members[0].shape,
                parameters=sum(p.numel for p in members),
                blocks=tuple(p.block for p in members if p.block is not None),
            )
            for (_, kind), members in grouped.items()
        )
