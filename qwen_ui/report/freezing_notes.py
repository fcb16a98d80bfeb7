"""Section C of the report: how to train a part of this model, by its exact names."""

from __future__ import annotations

from qwen_ui.model import Anatomy, Role, bias_beside
from qwen_ui.report.recipes import recipes

# Projections whose matrix holds more than one of those that people choose between.
_QKV = "query, key and value"
FUSED = {
    **dict.fromkeys(("qkv_proj", "query_key_value", "c_attn", "Wqkv", "W_pack"), _QKV),
    "gate_up_proj": "gate and way up",
    "in_proj_qkvz": "query, key, value and gate",
}


def freezing_notes(anatomy: Anatomy) -> str:
    """Recipes for the top blocks, biases that the model lacks, fused tensors, tied tensors."""
    if not anatomy.blocks:
        return "The model has no list of blocks to choose from."
    sections = [*recipes(anatomy), _absent(anatomy), _fused(anatomy), _ties(anatomy)]
    return "\n\n".join(section for section in sections if section)


def _absent(anatomy: Anatomy) -> str:
    """Biases that people expect next to the weights of a block, and that this model lacks."""
    names = {name for parameter in anatomy.parameters for name in parameter.names}
    examples = _example_blocks(anatomy)
    weights = [
        p
        for p in anatomy.parameters
        if p.name.endswith(".weight")
        and (p.block in examples or (p.block is None and p.role is Role.NORM))
    ]
    missing = [bias for p in weights if (bias := bias_beside(p.name)) not in names]
    if not missing:
        return "### Names that do not exist\n\nEvery weight of a block has its bias."
    stand = (
        f"block {examples[0]} stands"
        if len(examples) == 1
        else f"blocks {' and '.join(map(str, examples))} stand"
    )
    listed = "\n".join(f"- `{name}`" for name in missing[:40])
    more = f"\n- and {len(missing) - 40} more" if len(missing) > 40 else ""
    return (
        "### Names that do not exist\n\nPeople expect these biases; this model has none of them "
        f"({stand} for all):\n\n{listed}{more}"
    )


def _example_blocks(anatomy: Anatomy) -> tuple[int, ...]:
    """The first block of each set of kinds."""
    kinds: dict[int, list[str]] = {}
    for parameter in anatomy.parameters:
        if parameter.block is not None:
            kinds.setdefault(parameter.block, []).append(parameter.kind)
    first: dict[tuple[str, ...], int] = {}
    for block, inside in kinds.items():
        first.setdefault(tuple(inside), block)
    return tuple(first.values())


def _fused(anatomy: Anatomy) -> str:
    """Tensors that hold several things which people want to choose one by one."""
    experts = [k for k in anatomy.kinds if k.role is Role.EXPERT and len(k.shape) == 3]
    lines = [
        f"- `{kind.kind}` holds {kind.shape[0]} experts: a name trains all of them or none; the "
        "router has a name of its own"
        for kind in experts
    ]
    for kind in anatomy.kinds:
        leaf = kind.kind.rpartition(".")[0].rpartition(".")[2]
        if kind.kind.endswith(".weight") and leaf in FUSED:
            lines.append(f"- `{kind.kind}` holds {FUSED[leaf]}: a name trains all of it or none")
    if not lines:
        return ""
    listed = "\n".join(lines)
    return f"### Several things in one tensor\n\n{listed}"


def _ties(anatomy: Anatomy) -> str:
    if not anatomy.tied:
        return ""
    lines = "\n".join(
        f"- `{group[-1]}` is `{group[0]}`: `named_parameters()` lists the first name alone, and "
        "training one trains both"
        for group in anatomy.tied[:20]
    )
    return f"### One tensor, two names\n\n{lines}"
