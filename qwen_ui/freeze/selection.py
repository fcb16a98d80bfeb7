"""A plan and a model -> the exact set of parameter names that train.

Nothing else in the code decides what is trainable: tree, grid, preview, cost, export, training,
command line and API all read the `Selection` that `resolve` returns.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from qwen_ui.errors import PlanError
from qwen_ui.freeze.layers import parse_layers
from qwen_ui.freeze.notes import listed, unreached_note, warnings_for
from qwen_ui.freeze.plan import NONE, FreezePlan, Rule
from qwen_ui.freeze.sentence import summarize
from qwen_ui.model import Anatomy, Parameter, Role, match_names, unreached

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Selection:
    """What a plan trains in one model.

    Attributes:
        names: first names of the tensors that train.
        warnings: what to know before training this, in whole sentences.
        plan: the plan that was resolved.
        anatomy: of the model that it is for.
    """

    names: frozenset[str]
    warnings: tuple[str, ...]
    plan: FreezePlan
    anatomy: Anatomy = field(repr=False)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The tensors that train, in tree order."""
        return tuple(p for p in self.anatomy.parameters if p.name in self.names)

    @cached_property
    def trainable_parameters(self) -> int:
        """Elements that train, each tensor once."""
        return sum(parameter.numel for parameter in self.parameters)

    @property
    def total_parameters(self) -> int:
        return self.anatomy.total_parameters

    @property
    def trainable_fraction(self) -> float:
        """Share of all elements that trains, in 0..1."""
        return self.trainable_parameters / max(self.total_parameters, 1)

    @cached_property
    def block_counts(self) -> tuple[tuple[int, int, int], ...]:
        """(index, elements, elements that train) of every block."""
        trained = dict.fromkeys(range(self.anatomy.block_count), 0)
        for parameter in self.parameters:
            if parameter.block is not None:
                trained[parameter.block] += parameter.numel
        return tuple((b.index, b.parameters, trained[b.index]) for b in self.anatomy.blocks)

    @cached_property
    def prefix_blocks(self) -> int:
        """How many blocks come before the first one that trains; 0 where the embedding trains.

        Their output for a given sequence never changes during training.
        """
        if self.first_trained_block == 0:
            return 0
        return min(self.first_trained_block, self.entry_block)

    @cached_property
    def first_trained_block(self) -> int:
        """Index of the first block that trains; the number of blocks where none does."""
        trained = (p.block for p in self.parameters if p.block is not None)
        return min(trained, default=self.anatomy.block_count)

    @cached_property
    def entry_block(self) -> int:
        """The first block whose input depends on a trained tensor outside the blocks."""
        outside = [p for p in self.parameters if p.block is None]
        if any(p.role is Role.EMBEDDING for p in outside):
            return 0
        if not outside:
            return self.anatomy.block_count
        from qwen_ui.freeze.entry import entry_blocks  # noqa: PLC0415  imports torch

        entries = entry_blocks(self.anatomy)
        return min((entries.get(p.name, 0) for p in outside), default=self.anatomy.block_count)

    @property
    def summary(self) -> str:
        """One sentence on what trains, to paste."""
        return summarize(self.anatomy, self.names)

    def _repr_html_(self) -> str:
        """How it shows itself in a notebook."""
        from qwen_ui.freeze.notebook import selection_view  # noqa: PLC0415  loads templates

        return selection_view(self)


def resolve(plan: FreezePlan, anatomy: Anatomy) -> Selection:
    """The tensors of this model that the plan trains.

    What text cannot reach (an image tower, attention to an encoder that is not there) gets no
    gradient and is left out; a warning says so.

    Raises:
        PlanError: the plan has a rule that trains, and nothing would train.
    """
    trained: set[str] = set()
    unmatched: list[Rule] = []
    for rule, matched in zip(plan.rules, rule_names(plan, anatomy), strict=True):
        if not matched:
            unmatched.append(rule)
        trained = trained | matched if rule.train else trained - matched
    if not trained and any(rule.train for rule in plan.rules):
        raise PlanError(_nothing_trains(plan, anatomy, unmatched))
    left_out = unreached(anatomy) & trained if trained else NONE
    names = frozenset(trained - left_out)
    if left_out and not names:
        raise PlanError(
            f"The plan trains only what text cannot reach in {anatomy.source}: {listed(left_out)}. "
            "Training here is on text; choose parameters that it gives a gradient."
        )
    warnings = (*warnings_for(plan, anatomy, names, unmatched), *unreached_note(left_out))
    return Selection(names, warnings, plan, anatomy)


def rule_names(plan: FreezePlan, anatomy: Anatomy) -> list[frozenset[str]]:
    """Of each rule of a plan, the first names of the tensors that it alone matches."""
    found = _names_found(plan, anatomy)
    return [matching_names(rule, anatomy, found.get(rule.regex or "", NONE)) for rule in plan.rules]


def _names_found(plan: FreezePlan, anatomy: Anatomy) -> dict[str, frozenset[str]]:
    """All names that each regular expression of the plan is found in."""
    patterns = list(dict.fromkeys(rule.regex for rule in plan.rules if rule.regex is not None))
    names = tuple(anatomy.by_name)
    return {
        pattern: frozenset(names[index] for index in found)
        for pattern, found in zip(patterns, match_names(patterns, names), strict=True)
    }


def matching_names(rule: Rule, anatomy: Anatomy, found: Set[str] = NONE) -> frozenset[str]:
    """First names of the tensors that one rule matches; a tied tensor matches by all its names.

    Args:
        found: names that the rule's regular expression was found in.
    """
    blocks = None if rule.layers is None else parse_layers(rule.layers, anatomy.block_count)
    by_kind: dict[tuple[str, str], bool] = {}
    matched = set()
    for parameter in anatomy.parameters:
        if blocks is not None and parameter.block not in blocks:
            continue
        key = (parameter.kind, parameter.role)
        matches = by_kind.get(key)
        if matches is None:
            matches = rule.matches(parameter.names, parameter.kind, parameter.role, found)
            if rule.depends_on_kind_only:
                by_kind[key] = matches
        if matches:
            matched.add(parameter.name)
    return frozenset(matched)


def apply(selection: Selection, module: nn.Module) -> None:
    """Set `requires_grad` on every parameter of a real module, and drop stale gradients.

    A stale `.grad` on a tensor that is frozen now would still be taken by an optimizer.

    Raises:
        PlanError: the module lacks a tensor that the selection trains, or it cannot be trained.
    """
    parameters = dict(module.named_parameters())
    missing = sorted(selection.names - parameters.keys())
    if missing:
        raise PlanError(
            f"The model has no parameter '{missing[0]}' ({len(missing)} of the plan's names are "
            "missing). Resolve the plan on this model."
        )
    for name, parameter in parameters.items():
        trains = name in selection.names
        if trains and not parameter.dtype.is_floating_point:
            raise PlanError(
                f"'{name}' is quantized ({parameter.dtype}) and cannot be trained. "
                "Load the model in bfloat16 or float32, or freeze this parameter."
            )
        parameter.requires_grad_(trains)
        parameter.grad = None


def _nothing_trains(plan: FreezePlan, anatomy: Anatomy, unmatched: list[Rule]) -> str:
    if unmatched:
        rules = "; ".join(rule.describe() for rule in unmatched[:3])
        why = f"these rules match nothing in {anatomy.source}: {rules}"
    else:
        why = "a later rule freezes all that an earlier one trains"
    example = anatomy.parameters[-1].name if anatomy.parameters else ""
    last = anatomy.block_count - 1
    return (
        f"The plan trains nothing: {why}. Its blocks are 0 to {last}, and its parameters have "
        f"names such as '{example}'."
    )
