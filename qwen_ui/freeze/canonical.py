"""A set of names -> the one short plan that selects it, however it was clicked together."""

from __future__ import annotations

from collections.abc import Iterable

from qwen_ui.freeze.layers import format_layers
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.model.anatomy import Anatomy


def canonical_plan(anatomy: Anatomy, names: Iterable[str], name: str = "") -> FreezePlan:
    """The canonical plan for exactly these tensors.

    Kinds that train in the same blocks share a rule; a rule names roles where it has all kinds of a
    role, `*.bias` where it has all biases, and kinds else. Tensors outside the blocks are named.
    """
    chosen = frozenset(names)
    if chosen == {parameter.name for parameter in anatomy.parameters}:
        return FreezePlan(name=name, rules=(Rule(),))
    by_expression: dict[str, list[str]] = {}
    for kind in anatomy.kinds:
        trained = frozenset(
            p.block
            for p in anatomy.parameters
            if p.kind == kind.kind and p.block is not None and p.name in chosen
        )
        if trained:
            expression = format_layers(trained, anatomy.block_count, among=frozenset(kind.blocks))
            by_expression.setdefault(expression, []).append(kind.kind)
    rules = [
        rule
        for expression, kinds in by_expression.items()
        for rule in _rules(anatomy, expression, kinds)
    ]
    outside = [p.name for p in anatomy.parameters if p.block is None and p.name in chosen]
    if outside:
        rules.append(Rule(names=tuple(_escape(n) for n in outside)))
    return FreezePlan(name=name, rules=tuple(rules))


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


def _rules(anatomy: Anatomy, expression: str, kinds: list[str]) -> list[Rule]:
    members: dict[str, set[str]] = {}
    for kind in anatomy.kinds:
        if kind.blocks:
            members.setdefault(kind.role, set()).add(kind.kind)
    every = set().union(*members.values())
    if set(kinds) == every:
        return [Rule(layers=expression)]
    roles = [role for role, its in members.items() if its <= set(kinds)]
    rest = [kind for kind in kinds if not any(kind in members[role] for role in roles)]
    biases = {kind for kind in every if kind.endswith(".bias")}
    if biases and biases <= set(kinds) and biases & set(rest):
        rest = ["*.bias", *(kind for kind in rest if kind not in biases)]
    globs = tuple(kind if kind == "*.bias" else _escape(kind) for kind in rest)
    return [Rule.model_validate({"layers": expression, "roles": roles, "kinds": globs})]


def _escape(name: str) -> str:
    """A glob that means exactly this name."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
