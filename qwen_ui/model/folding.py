"""Identical modules of a list, folded into one: `0-27 · 28 × Qwen2DecoderLayer`.

Identical means the same classes, the same names inside, the same shapes and dtypes all the way
down, and the same layer type where the configuration names one. Comparing class names alone would
fold blocks of other sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qwen_ui.formats import index_ranges
from qwen_ui.model.anatomy import Anatomy, Module, Parameter, Role

# Ranges shown of the indexes of a long pattern.
_MAX_RANGES = 4


@dataclass(frozen=True, slots=True)
class Fold:
    """Modules of one list that are built alike.

    Attributes:
        parent: name of the list.
        class_name: class of each member.
        layer_type: what the configuration calls these layers (`sliding_attention`); empty where
            all layers of the list are of one type.
        indexes: the members' places in the list, ascending; at least two.
    """

    parent: str
    class_name: str
    layer_type: str
    indexes: tuple[int, ...]

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(f"{self.parent}.{index}" for index in self.indexes)

    @property
    def ranges(self) -> str:
        """The indexes as text, short: `0-2, 4-6, …, 44-46`."""
        return index_ranges(self.indexes, most=_MAX_RANGES)

    @property
    def label(self) -> str:
        return self.plain_label + (f" ({self.layer_type})" if self.layer_type else "")

    @property
    def plain_label(self) -> str:
        """Without the layer type."""
        return f"{self.ranges} · {len(self.indexes)} × {self.class_name}"


def find_folds(anatomy: Anatomy) -> tuple[Fold, ...]:
    """The folds of every module list, outer lists first."""
    return tuple(_folds(anatomy))


def children_by_parent(modules: Sequence[Module]) -> dict[str, list[Module]]:
    """The modules right below each name, in tree order."""
    children: dict[str, list[Module]] = {module.name: [] for module in modules}
    for module in modules:
        if module.name:
            children[module.name.rpartition(".")[0]].append(module)
    return children


def _folds(anatomy: Anatomy) -> Iterator[Fold]:
    children = children_by_parent(anatomy.modules)
    signatures = _signatures(anatomy, children)
    for parent, below in children.items():
        leaves = [module.name.rpartition(".")[2] for module in below]
        if len(below) < 2 or not all(leaf.isdecimal() for leaf in leaves):
            continue
        types = {module.name: anatomy.layer_type(module.name) for module in below}
        mixed = len(set(types.values())) > 1
        groups: dict[tuple[int, str], list[Module]] = {}
        for module in below:
            layer_type = types[module.name] if mixed else ""
            groups.setdefault((signatures[module.name], layer_type), []).append(module)
        for (_, layer_type), members in groups.items():
            if len(members) > 1:
                places = tuple(int(m.name.rpartition(".")[2]) for m in members)
                yield Fold(parent, members[0].class_name, layer_type, places)


@dataclass(frozen=True, slots=True)
class KindGroup:
    """A kind of the blocks, or tensors outside them that differ in an index alone.

    Attributes:
        label: the kind, or the name with `*` in the place of indexes.
        shape: of the first tensor.
        parameters, tensors: elements and tensors in all.
        blocks: how many blocks have it; 0 outside the blocks.
    """

    label: str
    role: Role
    shape: tuple[int, ...]
    parameters: int
    tensors: int
    blocks: int


def group_label(parameter: Parameter) -> str:
    """What the group of a tensor is called: its kind, outside the blocks with `*` for indexes."""
    return parameter.kind if parameter.block is not None else _starred(parameter.kind)


def _starred(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)


def group_kinds(anatomy: Anatomy) -> tuple[KindGroup, ...]:
    """Every kind; a vision tower's 27 layers are not 27 kinds each."""
    groups: dict[tuple[bool, str, Role], KindGroup] = {}
    for kind in anatomy.kinds:
        label = kind.kind if kind.blocks else _starred(kind.kind)
        key = (bool(kind.blocks), label, kind.role)
        before = groups.get(key)
        groups[key] = KindGroup(
            label,
            kind.role,
            before.shape if before else kind.shape,
            kind.parameters + (before.parameters if before else 0),
            (len(kind.blocks) or 1) + (before.tensors if before else 0),
            len(kind.blocks),
        )
    return tuple(groups.values())


def _signatures(anatomy: Anatomy, children: dict[str, list[Module]]) -> dict[str, int]:
    """A number for each module, equal where the modules are built alike all the way down."""
    numbers: dict[object, int] = {}
    found: dict[str, int] = {}
    for module in reversed(anatomy.modules):
        own = tuple(
            (
                name.rpartition(".")[2],
                anatomy.by_name[name].shape,
                anatomy.by_name[name].dtype,
            )
            for name in module.own
        )
        inside = tuple((c.name.rpartition(".")[2], found[c.name]) for c in children[module.name])
        key = (module.class_name, own, inside)
        found[module.name] = numbers.setdefault(key, len(numbers))
    return found
