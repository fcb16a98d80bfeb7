"""What a person should know before training a selection, in whole sentences."""

from __future__ import annotations

from qwen_ui.freeze.layers import format_layers, parse_layers
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.roles import Role


def warnings_for(
    plan: FreezePlan, anatomy: Anatomy, names: frozenset[str], unmatched: list[Rule]
) -> tuple[str, ...]:
    """All warnings for this selection; an empty tuple where there is nothing to say."""
    found = [
        *(f"A rule matches nothing in this model: {rule.describe()}." for rule in unmatched),
        *_nothing(names),
        *_missing_biases(plan, anatomy),
        *_tied(anatomy, names),
        *_gap(anatomy, names),
    ]
    return tuple(found)


def _nothing(names: frozenset[str]) -> list[str]:
    return [] if names else ["Nothing is trained: a run would leave the model as it is."]


def _missing_biases(plan: FreezePlan, anatomy: Anatomy) -> list[str]:
    """A rule on biases trains only those that exist; name the ones people expect."""
    blocks: set[int] = set()
    for rule in plan.rules:
        if rule.train and any(glob in ("*.bias", "bias") for glob in rule.kinds):
            blocks |= parse_layers(rule.layers or "all", anatomy.block_count)
    kinds = {p.kind for p in anatomy.parameters if p.block in blocks}
    missing = [
        kind.removesuffix(".weight")
        for kind in dict.fromkeys(p.kind for p in anatomy.parameters if p.block in blocks)
        if kind.endswith(".weight") and kind.removesuffix("weight") + "bias" not in kinds
    ]
    if not missing:
        return []
    return [f"No bias exists in this model on {', '.join(missing)}: these are not trained."]


def _tied(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    return [
        f"{' and '.join(group)} are one tensor (tied): training it changes both, "
        "and it is counted once."
        for group in anatomy.tied
        if group[0] in names
    ]


def _gap(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    """Frozen blocks above the first trained one must still be run backwards."""
    trained = {p.block for p in anatomy.parameters if p.name in names and p.block is not None}
    inputs_train = any(
        p.block is None and p.role is Role.EMBEDDING and p.name in names for p in anatomy.parameters
    )
    if not trained and not inputs_train:
        return []
    first = 0 if inputs_train else min(trained)
    frozen = frozenset(range(first, anatomy.block_count)) - trained
    if not frozen:
        return []
    where = format_layers(frozen, anatomy.block_count)
    below = "the embedding" if inputs_train else f"block {first}"
    count = "block is" if len(frozen) == 1 else "blocks are"
    return [
        f"{len(frozen)} frozen {count} above {below}, which trains ({where}): the backward pass still "
        "runs through them, so freezing them saves optimizer memory but little time."
    ]
