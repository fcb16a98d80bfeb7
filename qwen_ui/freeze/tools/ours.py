"""Our own formats, and plain lists: a plan, names, regular expressions."""

from __future__ import annotations

from collections.abc import Sequence

from qwen_ui.freeze.plan import FreezePlan
from qwen_ui.freeze.selection import resolve, rule_names
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, in_tree_order
from qwen_ui.model import Anatomy, match_names


def read_plan(values: object, anatomy: Anatomy) -> Reading:
    """What a plan trains, rule by rule.

    Raises:
        PlanError: it is no plan of a schema that this version reads, or nothing trains.
    """
    plan = FreezePlan.from_dict(values)
    trained: set[str] = set()
    entries = []
    for rule, names in zip(plan.rules, rule_names(plan, anatomy), strict=True):
        entries.append(
            Entry("rules", rule.describe(), in_tree_order(anatomy, names), not rule.train)
        )
        trained = trained | names if rule.train else trained - names
    told = tuple(
        Problem("warning", warning)
        for warning in resolve(plan, anatomy).warnings
        if not warning.startswith("A rule matches nothing")  # which the entry says
    )
    return Reading("plan", tuple(entries), frozenset(trained), problems=told)


def read_names(items: Sequence[str], anatomy: Anatomy, format: str = "names") -> Reading:
    """A list of names, second names of a tied tensor included."""
    known = tuple(anatomy.by_name)
    entries = tuple(
        Entry("names", item, in_tree_order(anatomy, (item,)), candidates=known)
        for item in dict.fromkeys(items)
    )
    return Reading(format, entries, frozenset(n for e in entries for n in e.names))


def read_expressions(items: Sequence[str], anatomy: Anatomy) -> Reading:
    """Regular expressions, searched for in every name of every tensor.

    Raises:
        PlanError: as `model.match_names`.
    """
    known = tuple(anatomy.by_name)
    items = [part for item in items for part in alternatives(item)]
    entries = tuple(
        Entry("regex", item, in_tree_order(anatomy, (known[i] for i in found)), candidates=known)
        for item, found in zip(items, match_names(items, known), strict=True)
    )
    return Reading("regex", entries, frozenset(n for e in entries for n in e.names))


def alternatives(expression: str) -> list[str]:
    """The alternatives of an expression; our own exports have one for each pattern."""
    if expression.startswith("(?") and not expression.startswith("(?:"):
        return [expression]  # flags at the beginning are those of every alternative
    found, depth, start, index = [], 0, 0, 0
    while index < len(expression):
        letter = expression[index]
        if letter == "\\":
            index += 1
        elif letter == "[":
            return [expression]
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "|" and depth == 0:
            found.append(expression[start:index])
            start = index + 1
        index += 1
    return [*found, expression[start:]]
