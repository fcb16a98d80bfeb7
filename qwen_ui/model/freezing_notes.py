"""Section C of the report: how to train a part of this model, by its exact names."""

from __future__ import annotations

from qwen_ui.model.anatomy import Anatomy, Parameter, Role
from qwen_ui.model.audit import block_pattern
from qwen_ui.model.gradients import top_attention, top_biases, top_parameters


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
    share = 100 * count / anatomy.total_parameters
    first = parameters[0].block
    names = "\n".join(
        f"- `{p.name}` {' × '.join(f'{size:,}' for size in p.shape) or 'scalar'}"
        for p in parameters
        if p.block == first
    )
    return "\n".join(
        (
            f"### {title}",
            "",
            f"Trains {count:,} parameters ({share:.4g} %) in {len(parameters)} tensors.",
            "",
            "```python",
            f"assert train_only(model, lambda name: {condition}) == {count}",
            "```",
            "",
            f"The exact names in block {first}; blocks up to {anatomy.block_count - 1} likewise:",
            "",
            names,
        )
    )


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
    weights = [p for p in anatomy.parameters if p.name.endswith(".weight") and _is_expected(p)]
    missing = [
        p.name.removesuffix("weight") + "bias"
        for p in weights
        if p.name.removesuffix("weight") + "bias" not in names
    ]
    if not missing:
        return "### Names that do not exist\n\nEvery weight of a block has its bias."
    listed = "\n".join(f"- `{name}`" for name in missing[:40])
    return (
        "### Names that do not exist\n\nPeople expect these biases; this model has none of them "
        f"(block 0 stands for all):\n\n{listed}"
    )


def _is_expected(parameter: Parameter) -> bool:
    return parameter.block == 0 or (parameter.block is None and parameter.role is Role.NORM)


def _ties(anatomy: Anatomy) -> str:
    if not anatomy.tied:
        return ""
    lines = "\n".join(
        f"- `{group[-1]}` is `{group[0]}`: `named_parameters()` lists the first name alone, and "
        "training one trains both"
        for group in anatomy.tied[:20]
    )
    return f"### One tensor, two names\n\n{lines}"
