"""Warnings about a selection, in whole sentences: what to know before training it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from fnmatch import fnmatchcase

from qwen_ui.freeze.layers import format_layers, parse_layers
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.freeze.presets import BIASES
from qwen_ui.model import Anatomy, Role, bias_beside, is_bias
from qwen_ui.model.weights import is_dequantized, quantization_of


def warnings_for(
    plan: FreezePlan, anatomy: Anatomy, names: frozenset[str], unmatched: list[Rule]
) -> tuple[str, ...]:
    """All warnings for this selection; empty where there are none."""
    found = [
        *anatomy.notes,
        *(f"A rule matches nothing in this model: {rule.describe()}." for rule in unmatched),
        *_idle_globs(plan, anatomy, unmatched),
        *_blocks_beyond(plan, anatomy, unmatched),
        *_nothing(names),
        *_missing_biases(plan, anatomy),
        *_tied(anatomy, names),
        *_gap(anatomy, names),
        *_decay(anatomy, names),
        *_checkpointing(anatomy, names),
        *_quantized(anatomy, names),
    ]
    return tuple(found)


def unreached_note(left_out: Set[str]) -> list[str]:
    """What the plan names and text cannot reach."""
    if not left_out:
        return []
    return [
        f"{len(left_out):,} of the tensors that the plan names get no gradient from text "
        f"({listed(left_out)}): they stay as they are and are not counted as trained."
    ]


def listed(names: Set[str], most: int = 3) -> str:
    """The first of these names, and how many more there are."""
    first = ", ".join(sorted(names)[:most])
    return first + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _idle_globs(plan: FreezePlan, anatomy: Anatomy, unmatched: list[Rule]) -> list[str]:
    """Kinds and names that match nothing, of rules that do match something.

    Roles are left out: presets name those of other architectures too.
    """
    idle: dict[str, None] = {}
    for rule in plan.rules:
        if rule in unmatched:
            continue
        blocks = None if rule.layers is None else parse_layers(rule.layers, anatomy.block_count)
        kinds = {k.kind for k in anatomy.kinds if blocks is None or blocks & set(k.blocks)}
        idle |= dict.fromkeys(_idle(rule.kinds, kinds))
        if rule.names:
            scope = (p for p in anatomy.parameters if blocks is None or p.block in blocks)
            idle |= dict.fromkeys(_idle(rule.names, {n for p in scope for n in p.names}))
    if not idle:
        return []
    listed = ", ".join([*idle][:6]) + (f" and {len(idle) - 6:,} more" if len(idle) > 6 else "")
    return [f"The plan refers to parameters this model doesn't have: {listed}."]


def _idle(globs: Iterable[str], texts: set[str]) -> list[str]:
    return [
        glob
        for glob in globs
        if glob not in texts
        and glob not in BIASES
        and not (set(glob) & set("*?[") and any(fnmatchcase(text, glob) for text in texts))
    ]


def _blocks_beyond(plan: FreezePlan, anatomy: Anatomy, unmatched: list[Rule]) -> list[str]:
    """Explicit indexes that this model does not have, from a plan made for a deeper one."""
    last = anatomy.block_count - 1
    beyond = [
        rule.layers
        for rule in plan.rules
        if rule.layers is not None
        and rule not in unmatched
        and any(int(i) > last for i in re.findall(r"(?<![:\d])\d+", rule.layers))
    ]
    return [
        f"Blocks {layers} reach beyond this model: its blocks are 0 to {last}."
        for layers in dict.fromkeys(beyond)
    ]


def _nothing(names: frozenset[str]) -> list[str]:
    return [] if names else ["Nothing is trained: a run would leave the model as it is."]


def _missing_biases(plan: FreezePlan, anatomy: Anatomy) -> list[str]:
    """A rule on biases trains only those that exist: name the ones that people expect."""
    blocks: set[int] = set()
    for rule in plan.rules:
        if rule.train and any(glob in BIASES for glob in rule.kinds):
            blocks |= parse_layers(rule.layers or "all", anatomy.block_count)
    kinds = {p.kind for p in anatomy.parameters if p.block in blocks}
    missing = [
        kind.removesuffix(".weight")
        for kind in dict.fromkeys(p.kind for p in anatomy.parameters if p.block in blocks)
        if kind.endswith(".weight") and bias_beside(kind) not in kinds
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
    """Frozen blocks above the first trained one still need a backward pass."""
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
    """For plans of mostly norms and biases: decay groups made by class name miss RMS norms."""
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
    if quantized:
        return [
            f"{len(quantized):,} tensors that train are quantized ({quantized[0].name} is "
            f"{quantized[0].dtype}): load the model in bfloat16 or float32 to train them."
        ]
    # The configuration gives the architecture; which tensors are packed is in the files.
    method = quantization_of(anatomy) if names else ""
    if not method:
        return []
    if is_dequantized(anatomy.config):
        return [
            f"The weights of this model are quantized ({method}). They are read as plain numbers "
            "to train here; other tools need its bfloat16 or float32 release."
        ]
    return [
        f"The weights of this model are quantized ({method}) and cannot be trained. Use its "
        "bfloat16 or float32 release."
    ]
