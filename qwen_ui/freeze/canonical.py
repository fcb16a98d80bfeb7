"""A set of names -> the one short plan that selects it, however it was put together.

The form depends on the set of names alone. What a model has everywhere (every norm, every bias) is
one rule without layers; kinds that train in the same blocks share a rule; layer expressions count
from the end where they can, so that the plan fits a deeper model too. Where it is shorter to say
what is frozen ("everything but this"), the plan trains everything and freezes that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from qwen_ui.errors import PlanError
from qwen_ui.freeze.layers import format_layers
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.freeze.presets import BIASES
from qwen_ui.model import Anatomy, Parameter, is_bias


def canonical_plan(anatomy: Anatomy, names: Iterable[str], name: str = "") -> FreezePlan:
    """The canonical plan for exactly these tensors (first names)."""
    chosen = frozenset(names)
    everything = frozenset(parameter.name for parameter in anatomy.parameters)
    if chosen == everything and everything:
        return FreezePlan(name=name, rules=(Rule(),))
    direct = FreezePlan(name=name, rules=_rules(anatomy, chosen, train=True))
    if 2 * len(chosen) < len(everything):
        return direct
    frozen = _rules(anatomy, everything - chosen, train=False)
    inverse = FreezePlan(name=name, rules=(Rule(), *frozen))
    return inverse if len(inverse.to_json()) < len(direct.to_json()) else direct


def moved_to_blocks(
    anatomy: Anatomy, names: frozenset[str], blocks: Collection[int], name: str = ""
) -> FreezePlan:
    """The plan that trains on these blocks the kinds that the names train on any block.

    What trains outside the blocks stays.

    Raises:
        PlanError: no tensor of a block is among the names.
    """
    kinds = {p.kind for p in anatomy.parameters if p.block is not None and p.name in names}
    if not kinds:
        raise PlanError(
            "The plan trains nothing in the blocks, so there is nothing to move to the highest "
            "ones. Choose kinds first, for instance the preset Attention."
        )
    moved = (
        p.name
        for p in anatomy.parameters
        if (p.name in names if p.block is None else p.block in blocks and p.kind in kinds)
    )
    return canonical_plan(anatomy, moved, name)


def grouped_kinds(
    anatomy: Anatomy, names: frozenset[str]
) -> dict[tuple[int, ...], tuple[str, ...]]:
    """Blocks -> the kinds that train in exactly these blocks, in tree order."""
    blocks: dict[str, list[int]] = {}
    for parameter in anatomy.parameters:
        if parameter.block is not None and parameter.name in names:
            blocks.setdefault(parameter.kind, []).append(parameter.block)
    grouped: dict[tuple[int, ...], tuple[str, ...]] = {}
    for kind, indexes in blocks.items():
        key = tuple(sorted(indexes))
        grouped[key] = (*grouped.get(key, ()), kind)
    return grouped


def whole_roles(anatomy: Anatomy, names: frozenset[str]) -> tuple[str, ...]:
    """Roles of which every tensor of the model is among the names, in tree order."""
    complete = dict.fromkeys((p.role for p in anatomy.parameters), True)
    for parameter in anatomy.parameters:
        complete[parameter.role] &= parameter.name in names
    return tuple(role for role, whole in complete.items() if whole)


def _rules(anatomy: Anatomy, chosen: frozenset[str], *, train: bool) -> tuple[Rule, ...]:
    roles = whole_roles(anatomy, chosen)
    rest = [p for p in anatomy.parameters if p.name in chosen and p.role not in roles]
    biases = [p for p in anatomy.parameters if is_bias(p.kind)]
    rules = [Rule.model_validate({"train": train, "roles": roles})] if roles else []
    if any(is_bias(p.kind) for p in rest) and all(p.name in chosen for p in biases):
        rules.append(Rule(train=train, kinds=BIASES))
        rest = [p for p in rest if not is_bias(p.kind)]
    rules.extend(_block_rules(anatomy, frozenset(p.name for p in rest), train=train))
    outside = tuple(_escape(p.name) for p in rest if p.block is None)
    if outside:
        rules.append(Rule(train=train, names=outside))
    return tuple(rules)


def _block_rules(anatomy: Anatomy, names: frozenset[str], *, train: bool) -> list[Rule]:
    having = {kind.kind: frozenset(kind.blocks) for kind in anatomy.kinds if kind.blocks}
    by_expression: dict[str, list[str]] = {}
    for blocks, kinds in grouped_kinds(anatomy, names).items():
        for kind in kinds:
            expression = format_layers(frozenset(blocks), anatomy.block_count, among=having[kind])
            by_expression.setdefault(expression, []).append(kind)
    members = _kinds_by_role([p for p in anatomy.parameters if p.block is not None])
    return [
        _block_rule(expression, kinds, members, train=train)
        for expression, kinds in by_expression.items()
    ]


def _kinds_by_role(parameters: Iterable[Parameter]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for parameter in parameters:
        members.setdefault(parameter.role, set()).add(parameter.kind)
    return members


def _block_rule(
    expression: str, kinds: list[str], members: dict[str, set[str]], *, train: bool
) -> Rule:
    every = set().union(*members.values())
    if set(kinds) == every:
        return Rule(train=train, layers=expression)
    roles = [role for role, its in members.items() if its <= set(kinds)]
    covered = set().union(*(members[role] for role in roles))
    # A kind may have another role in another block (dense and sparse MLPs); then no role covers it.
    covered -= {kind for kind in covered if sum(kind in its for its in members.values()) > 1}
    rest = [kind for kind in kinds if kind not in covered]
    biases = {kind for kind in every if is_bias(kind)}
    globs: list[str] = []
    if biases and biases <= set(kinds) and biases & set(rest):
        globs = list(BIASES)
        rest = [kind for kind in rest if kind not in biases]
    globs += [_escape(kind) for kind in rest]
    return Rule.model_validate(
        {"train": train, "layers": expression, "roles": roles, "kinds": globs}
    )


def _escape(name: str) -> str:
    """A glob that matches exactly this name."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
