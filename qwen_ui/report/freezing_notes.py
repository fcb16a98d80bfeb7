"""Section C of the report: how to train a part of this model, by its exact names."""

from __future__ import annotations

from collections.abc import Iterator

from qwen_ui.formats import percent, shape_text
from qwen_ui.model.anatomy import Anatomy, Parameter, Role
from qwen_ui.model.folding import ranges
from qwen_ui.report.check_names import block_pattern
from qwen_ui.report.gradients import TOP_BLOCKS, top_attention, top_biases, top_parameters

# Projections whose matrix holds more than one of those that people choose between.
_QKV = "query, key and value"
FUSED = {
    **dict.fromkeys(("qkv_proj", "query_key_value", "c_attn", "Wqkv", "W_pack"), _QKV),
    "gate_up_proj": "gate and way up",
    "in_proj_qkvz": "query, key, value and gate",
}


def freezing_notes(anatomy: Anatomy) -> str:
    """How to take the top blocks, attention alone and biases alone; what does not exist; ties."""
    if not anatomy.blocks:
        return "The model has no list of blocks to choose from."
    top = top_parameters(anatomy)
    first = max(0, anatomy.block_count - 4)
    sections = [
        _recipe(
            anatomy,
            "The top 4 blocks",
            top,
            f"block(name) >= {first}",
        ),
        _recipe(
            anatomy,
            "Attention-only on the top 4 blocks",
            _named(anatomy, top_attention(anatomy)),
            _condition(anatomy, first, _attention_paths(anatomy)),
        ),
        _recipe(
            anatomy,
            "BitFit (biases only, arXiv 2106.10199) on the top 4 blocks",
            _named(anatomy, top_biases(anatomy)),
            f'block(name) >= {first} and name.endswith(".bias")',
        ),
        _absent(anatomy),
        _fused(anatomy),
        _ties(anatomy),
    ]
    return _preamble(anatomy) + "\n\n" + "\n\n".join(section for section in sections if section)


def _preamble(anatomy: Anatomy) -> str:
    return "\n".join(
        (
            "Block indexes are read as whole numbers: a longer index begins with the text of "
            "a shorter one (check 8 below). Paste this once:",
            "",
            "```python",
            "import re",
            "",
            "",
            "def block(name: str) -> int:",
            '    """Index of a parameter\'s block, -1 outside the blocks."""',
            f'    found = re.match(r"{block_pattern(anatomy)}", name)',
            "    return int(found[1]) if found else -1",
            "",
            "",
            "def train_only(model, chosen):",
            "    for name, parameter in model.named_parameters():",
            "        parameter.requires_grad = bool(chosen(name))",
            "    return sum(p.numel() for p in model.parameters() if p.requires_grad)",
            "```",
        )
    )


def _recipe(anatomy: Anatomy, title: str, parameters: tuple[Parameter, ...], condition: str) -> str:
    if not parameters:
        return f"### {title}\n\nNothing to train: the top blocks have no such parameter."
    count = sum(parameter.numel for parameter in parameters)
    share = percent(count / anatomy.total_parameters)
    return "\n".join(
        (
            f"### {title}",
            "",
            f"Trains {count:,} parameters ({share}) in {len(parameters)} tensors.",
            "",
            "```python",
            f"assert train_only(model, lambda name: {condition}) == {count}",
            "```",
            *_exact_names(anatomy, parameters),
        )
    )


def _exact_names(anatomy: Anatomy, parameters: tuple[Parameter, ...]) -> Iterator[str]:
    """The names in one block of each form; the blocks of a hybrid stack do not have the same."""
    by_block: dict[int, list[Parameter]] = {}
    for parameter in parameters:
        assert parameter.block is not None
        by_block.setdefault(parameter.block, []).append(parameter)
    forms: dict[tuple[tuple[str, tuple[int, ...]], ...], list[int]] = {}
    for block, inside in by_block.items():
        forms.setdefault(tuple((p.kind, p.shape) for p in inside), []).append(block)
    for form, blocks in forms.items():
        likewise = f"; blocks {ranges(blocks[1:])} likewise" if len(blocks) > 1 else ""
        yield from ("", f"The exact names in block {blocks[0]}{likewise}:", "")
        for kind, shape in form:
            sizes = shape_text(shape)
            yield f"- `{anatomy.stack}.{blocks[0]}.{kind}` {sizes}"
    without = [b.index for b in anatomy.blocks[-TOP_BLOCKS:] if b.index not in by_block]
    if without:
        yield from ("", f"Blocks {ranges(without)} have no such parameter.")


def _named(anatomy: Anatomy, names: frozenset[str]) -> tuple[Parameter, ...]:
    return tuple(p for p in anatomy.parameters if p.name in names)


def _attention_paths(anatomy: Anatomy) -> tuple[str, ...]:
    """Where attention sits in a block: a module that holds nothing else, or single kinds."""
    inside = [p for p in anatomy.parameters if p.block is not None]
    attention = dict.fromkeys(p.kind for p in inside if p.role is Role.ATTENTION)
    others = {p.kind for p in inside if p.role is not Role.ATTENTION}
    paths: dict[str, None] = {}
    for kind in attention:
        module = kind.split(".")[0]
        alone = not any(other.split(".")[0] == module for other in others)
        paths[f".{module}." if alone else f".{kind}"] = None
    return tuple(paths)


def _condition(anatomy: Anatomy, first: int, paths: tuple[str, ...]) -> str:
    if len(paths) == 1:
        return f'block(name) >= {first} and "{paths[0]}" in name'
    listed = ", ".join(f'"{path}"' for path in paths)
    return f"block(name) >= {first} and any(path in name for path in ({listed}))"


def _absent(anatomy: Anatomy) -> str:
    """Biases that people expect beside the weights of a block, and that this model has not."""
    names = {name for parameter in anatomy.parameters for name in parameter.names}
    examples = _example_blocks(anatomy)
    weights = [
        p
        for p in anatomy.parameters
        if p.name.endswith(".weight")
        and (p.block in examples or (p.block is None and p.role is Role.NORM))
    ]
    biases = [p.name.removesuffix("weight") + "bias" for p in weights]
    missing = [name for name in biases if name not in names]
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
        "router beside it has a name of its own"
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
