"""Anatomy -> the rows of the module tree, as columns of plain values for the browser.

The browser owns the tree: it gets every row once, in tree order, and folds, searches and draws
by itself. A row is a module, a tensor, or a fold (identical modules of a list as one row).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from qwen_ui.formats import shape_text
from qwen_ui.model import Anatomy, Fold, Module, children_by_parent, find_folds

MODULE, TENSOR, FOLD = 0, 1, 2


@dataclass(slots=True)
class _Rows:
    """The columns while they are filled; all are equally long."""

    depth: list[int] = field(default_factory=list)
    type: list[int] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    what: list[str] = field(default_factory=list)
    role: list[str] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    tied: list[str] = field(default_factory=list)

    def add(self, **values: Any) -> None:
        for column, value in values.items():
            getattr(self, column).append(value)


def tree_record(anatomy: Anatomy) -> dict[str, Any]:
    """What the browser needs to draw the tree.

    `rows` has a list a column: `depth`, `type` (0 module, 1 tensor, 2 fold), `label`, `name`,
    `what` (class or shape), `role`, `count` (elements), `bytes` and `tied` (the first name of a
    tensor, or of a module with all its tensors, that is listed a second time, else "").
    """
    rows = _Rows()
    _Walk(anatomy, rows).module(anatomy.modules[0], depth=0)
    return {
        "source": anatomy.source,
        "stack": anatomy.stack,
        "blocks": anatomy.block_count,
        "total": anatomy.total_parameters,
        "bytes": anatomy.bytes,
        "rows": {column: getattr(rows, column) for column in _Rows.__slots__},
    }


def subtree_bytes(anatomy: Anatomy) -> dict[str, int]:
    """Bytes in the subtree of every module, each tensor once in each subtree."""
    found: dict[str, int] = defaultdict(int)
    for parameter in anatomy.parameters:
        ancestors = {ancestor for name in parameter.names for ancestor in _ancestors(name)}
        for ancestor in ancestors:
            found[ancestor] += parameter.bytes
    return found


def subtree_roles(anatomy: Anatomy) -> dict[str, str]:
    """The role that most elements below a module share, "" where several parts of a model do.

    Inside a block the largest share decides (a norm inside attention leaves it attention);
    elsewhere a module has a role only where all its tensors share it.
    """
    shares: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for parameter in anatomy.parameters:
        for name in parameter.names:
            for ancestor in _ancestors(name):
                shares[ancestor][str(parameter.role)] += parameter.numel
    blocks = {block.name for block in anatomy.blocks}
    roles: dict[str, str] = {}
    for module in anatomy.modules:
        share = shares.get(module.name, {})
        inside = module.block is not None and module.name not in blocks
        clear = len(share) == 1 or (inside and share)
        roles[module.name] = max(share, key=lambda role: share[role]) if clear else ""
    return roles


def _ancestors(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts))]


class _Walk:
    """Fills the rows in tree order."""

    def __init__(self, anatomy: Anatomy, rows: _Rows) -> None:
        self.anatomy, self.rows = anatomy, rows
        self.children = children_by_parent(anatomy.modules)
        self.bytes = subtree_bytes(anatomy)
        self.roles = subtree_roles(anatomy)
        self.folds: dict[str, Fold] = {}
        for fold in find_folds(anatomy):
            self.folds |= dict.fromkeys(fold.members, fold)

    def module(self, module: Module, depth: int) -> None:
        self.rows.add(
            depth=depth,
            type=MODULE,
            label=module.name.rpartition(".")[2] or module.class_name,
            name=module.name,
            what=module.class_name if module.name else "the whole model",
            role=self.roles[module.name],
            count=module.parameters,
            bytes=self.bytes[module.name],
            tied=self.tied_to(module),
        )
        for name in module.own:
            self.tensor(name, depth + 1)
        self.below(self.children[module.name], depth + 1)

    def tied_to(self, module: Module) -> str:
        """The module whose tensors this one holds a second time, "" where any is its own."""
        first = [self.anatomy.by_name[name].name for name in module.own]
        again = bool(first) and set(first).isdisjoint(module.own) and not self.children[module.name]
        return first[0].rpartition(".")[0] if again else ""

    def below(self, modules: list[Module], depth: int) -> None:
        by_name = {module.name: module for module in modules}
        done: set[str] = set()
        for module in modules:
            fold = self.folds.get(module.name)
            if fold is None:
                self.module(module, depth)
            elif module.name not in done:
                done |= set(fold.members)
                self.fold(fold, [by_name[name] for name in fold.members], depth)

    def fold(self, fold: Fold, members: list[Module], depth: int) -> None:
        self.rows.add(
            depth=depth,
            type=FOLD,
            label=fold.plain_label,
            name=fold.members[0],
            what=fold.layer_type,
            role="",
            count=sum(module.parameters for module in members),
            bytes=sum(self.bytes[module.name] for module in members),
            tied="",
        )
        for module in members:
            self.module(module, depth + 1)

    def tensor(self, name: str, depth: int) -> None:
        parameter = self.anatomy.by_name[name]
        again = name != parameter.name
        self.rows.add(
            depth=depth,
            type=TENSOR,
            label=name.rpartition(".")[2],
            name=name,
            what=shape_text(parameter.shape),
            role=str(parameter.role),
            count=parameter.numel,
            bytes=parameter.bytes,
            tied=parameter.name if again else "",
        )
