"""What a person should know before training a selection, in whole sentences."""

from __future__ import annotations

from qwen_ui.freeze.layers import format_layers, parse_layers
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.freeze.presets import BIASES, is_bias
from qwen_ui.model.anatomy import Anatomy, Role


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
        *_decay(anatomy, names),
        *_checkpointing(anatomy, names),
        *_quantized(anatomy, names),
    ]
    return tuple(found)


def _nothing(names: frozenset[str]) -> list[str]:
    return [] if names else ["Nothing is trained: a run would leave the model as it is."]


def _missing_biases(plan: FreezePlan, anatomy: Anatomy) -> list[str]:
    """A rule on biases trains only those that exist; name the ones people expect."""
    blocks: set[int] = set()
    for rule in plan.rules:
        if rule.train and any(glob in BIASES for glob in rule.kinds):
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
        f"{len(frozen)} frozen {count} above {below}, which trains ({where}): the backward pass "
        "still runs through them, so freezing them saves optimizer memory but little time."
    ]


def _decay(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    """Decay groups made by class name miss RMS norms; said where most of a plan is such."""
    trained = [p for p in anatomy.parameters if p.name in names]
    light = [p for p in trained if p.role is Role.NORM or is_bias(p.kind)]
    if not light or 2 * sum(p.numel for p in light) < sum(p.numel for p in trained):
        return []
    return [
        f"{len(light):,} of {len(trained):,} tensors that train are norms or biases: weight decay "
        "would pull them towards zero. Train them without it."
    ]


def _checkpointing(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    trained = [p.name for p in anatomy.parameters if p.role is Role.EMBEDDING and p.name in names]
    if not trained:
        return []
    return [
        f"{trained[0]} trains: no block can be kept out of the backward pass, and gradient "
        "checkpointing runs every block a second time."
    ]


def _quantized(anatomy: Anatomy, names: frozenset[str]) -> list[str]:
    whole = ("int", "uint", "float8", "float4")
    quantized = [p for p in anatomy.parameters if p.name in names and p.dtype.startswith(whole)]
    if not quantized:
        return []
    return [
        f"{len(quantized):,} tensors that train are quantized ({quantized[0].name} is "
        f"{quantized[0].dtype}): load the model in bfloat16 or float32 to train them."
    ]
