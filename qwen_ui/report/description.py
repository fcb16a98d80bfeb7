"""Section B of the report: the architecture described, with the exact names of block 0."""

from __future__ import annotations

from collections.abc import Iterator

from qwen_ui.formats import percent, shape_text
from qwen_ui.model import Anatomy, KindGroup, Role, find_folds, group_kinds, is_bias
from qwen_ui.model.explain import explain_module
from qwen_ui.report.check_attention import check_attention
from qwen_ui.report.check_parts import check_norms

_TITLES = {
    Role.EMBEDDING: "Embeddings",
    Role.ATTENTION: "Attention",
    Role.MLP: "MLP",
    Role.ROUTER: "Routers",
    Role.EXPERT: "Experts",
    Role.NORM: "Norms",
    Role.HEAD: "Head",
    Role.OTHER: "Other parts",
}


def architecture_in_words(anatomy: Anatomy) -> str:
    """A paragraph on the blocks' names, then one per role, then one on biases."""
    return "\n\n".join((_naming(anatomy), *_roles(anatomy), _biases(anatomy)))


def _naming(anatomy: Anatomy) -> str:
    if not anatomy.blocks:
        return "The model has no list of blocks."
    names = f"`{anatomy.blocks[0].name}` to `{anatomy.blocks[-1].name}`"
    folds = [fold for fold in find_folds(anatomy) if fold.parent == anatomy.stack]
    built = "; ".join(fold.label for fold in folds) or "no two are built alike"
    classes = " and ".join(dict.fromkeys(f"`{b.class_name}`" for b in anatomy.blocks))
    return (
        f"**Blocks.** {anatomy.block_count} blocks of class {classes} in `{anatomy.stack}`, named "
        f"{names} ({built}). A tensor of a block is named "
        f"`{anatomy.stack}.<index>.<kind>`, for instance `{_example(anatomy)}`."
    )


def _example(anatomy: Anatomy) -> str:
    """The first tensor of the first block that has one."""
    return next((p.name for p in anatomy.parameters if p.block is not None), "")


def _roles(anatomy: Anatomy) -> Iterator[str]:
    for role, title in _TITLES.items():
        kinds = [kind for kind in group_kinds(anatomy) if kind.role is role]
        if not kinds and role is Role.HEAD:
            yield from _tied_head(anatomy)
        if not kinds:
            continue
        total = sum(kind.parameters for kind in kinds)
        lines = "\n".join(_line(anatomy, kind) for kind in kinds[:40])
        more = f"\n- and {len(kinds) - 40} more kinds" if len(kinds) > 40 else ""
        figures = f"{total:,} parameters ({percent(total / anatomy.total_parameters)})"
        yield f"**{title}.** {_sentence(anatomy, role)}{figures}:\n\n{lines}{more}"


def _tied_head(anatomy: Anatomy) -> Iterator[str]:
    for module in anatomy.modules:
        for name in module.own if module.role is Role.HEAD else ():
            yield (
                f"**Head.** No tensor of its own: `{name}` is `{anatomy.by_name[name].name}`, so a "
                "pattern on the head's name matches nothing."
            )


def _sentence(anatomy: Anatomy, role: Role) -> str:
    if role is Role.ATTENTION:
        evidence = check_attention(anatomy)[1]
        return "" if evidence.startswith("Not") else evidence[0].upper() + evidence[1:] + " "
    if role is Role.NORM:
        return check_norms(anatomy)[1] + " "
    if role is Role.MLP:
        owner = _owner(anatomy, role)
        text = explain_module(anatomy, owner) if owner else None
        return f"{text.sentence} `{text.formula}`. " if text and text.formula else ""
    return ""


def _owner(anatomy: Anatomy, role: Role) -> str:
    """The module right below a block that holds the first tensor of this role."""
    first = next((p for p in anatomy.parameters if p.role is role and p.block is not None), None)
    return f"{anatomy.stack}.{first.block}.{first.kind.split('.')[0]}" if first else ""


def _line(anatomy: Anatomy, kind: KindGroup) -> str:
    shape = shape_text(kind.shape)
    if not kind.blocks:
        return f"- `{kind.label}` {shape}" + (f", {kind.tensors} ×" if kind.tensors > 1 else "")
    first = next(
        p.block for p in anatomy.parameters if p.kind == kind.label and p.block is not None
    )
    where = "every block" if kind.blocks == anatomy.block_count else f"{kind.blocks} blocks"
    return f"- `{anatomy.stack}.{first}.{kind.label}` {shape}, in {where}"


def _biases(anatomy: Anatomy) -> str:
    biases = [p for p in anatomy.parameters if is_bias(p.name)]
    if not biases:
        return "**Biases.** None anywhere."
    kinds = dict.fromkeys(p.kind for p in biases)
    listed = ", ".join(f"`{kind}`" for kind in list(kinds)[:12])
    total = sum(p.numel for p in biases)
    return f"**Biases.** {total:,} parameters in {len(biases)} tensors, of the kinds {listed}."
