"""Code to paste that trains one choice of parameters, each with the count that it asserts.

What a recipe trains is what `freeze.resolve` says of a preset on the last blocks; its condition is
the shortest one over names that selects exactly this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qwen_ui.formats import index_ranges, percent, shape_text
from qwen_ui.freeze import TOP_BLOCKS, Selection
from qwen_ui.model import Anatomy, Parameter, block_pattern, is_bias, pattern_for
from qwen_ui.report.top_blocks import top_blocks, top_selection


@dataclass(frozen=True, slots=True)
class _Condition:
    """A test of a name in the last blocks: as Python text, and what it comes to."""

    text: str
    holds: Callable[[str], bool]


def recipes(anatomy: Anatomy) -> list[str]:
    """The code that every recipe needs, then a section for each choice."""
    top = f"the top {TOP_BLOCKS} blocks"
    everything = _Condition("", lambda name: True)
    biases = _Condition('name.endswith(".bias")', is_bias)
    return [
        _preamble(anatomy),
        _recipe(anatomy, top.capitalize(), "full", lambda selection: everything),
        _recipe(anatomy, f"Attention-only on {top}", "attention", _by_path),
        _recipe(
            anatomy,
            f"BitFit (biases only, arXiv 2106.10199) on {top}",
            "bitfit",
            lambda selection: biases,
        ),
    ]


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
            f'    found = re.match(r"{block_pattern(anatomy.stack)}", name)',
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


def _recipe(
    anatomy: Anatomy, title: str, preset: str, condition: Callable[[Selection], _Condition]
) -> str:
    selection = top_selection(anatomy, preset)
    if selection is None:
        return f"### {title}\n\nNothing to train: the top blocks have no such parameter."
    count = selection.trainable_parameters
    text = _exact(selection, condition(selection))
    return "\n".join(
        (
            f"### {title}",
            "",
            f"Trains {count:,} parameters ({percent(selection.trainable_fraction)}) "
            f"in {len(selection.names)} tensors.",
            "",
            "```python",
            f"assert train_only(model, lambda name: {text}) == {count}",
            "```",
            *_names(selection),
        )
    )


def _exact(selection: Selection, condition: _Condition) -> str:
    """The condition, where it selects the selection's names and no other; else their pattern."""
    blocks = top_blocks(selection.anatomy)
    inside = (p.name for p in selection.anatomy.parameters if p.block in blocks)
    if selection.names != frozenset(name for name in inside if condition.holds(name)):
        return f're.search(r"{pattern_for(p.name for p in selection.parameters)}", name)'
    return " and ".join(filter(None, (f"block(name) >= {blocks[0]}", condition.text)))


def _by_path(selection: Selection) -> _Condition:
    """By the paths inside a block: a module of which all is selected, or single kinds."""
    blocks = top_blocks(selection.anatomy)
    inside = [p for p in selection.anatomy.parameters if p.block in blocks]
    frozen = {p.kind.split(".")[0] for p in inside if p.name not in selection.names}
    paths: dict[str, None] = {}
    for parameter in selection.parameters:
        module = parameter.kind.split(".")[0]
        paths[f".{parameter.kind}" if module in frozen else f".{module}."] = None
    if len(paths) == 1:
        text = f'"{next(iter(paths))}" in name'
    else:
        listed = ", ".join(f'"{path}"' for path in paths)
        text = f"any(path in name for path in ({listed}))"
    return _Condition(text, lambda name: any(path in name for path in paths))


def _names(selection: Selection) -> Iterator[str]:
    """The names in one block of each form; the blocks of a hybrid stack do not have the same."""
    by_block: dict[int, list[Parameter]] = {}
    for parameter in selection.parameters:
        assert parameter.block is not None
        by_block.setdefault(parameter.block, []).append(parameter)
    forms: dict[tuple[tuple[str, tuple[int, ...]], ...], list[int]] = {}
    for block, inside in by_block.items():
        forms.setdefault(tuple((p.kind, p.shape) for p in inside), []).append(block)
    for form, blocks in forms.items():
        others = f"; blocks {index_ranges(blocks[1:])} likewise" if len(blocks) > 1 else ""
        yield from ("", f"The exact names in block {blocks[0]}{others}:", "")
        for kind, shape in form:
            yield f"- `{selection.anatomy.stack}.{blocks[0]}.{kind}` {shape_text(shape)}"
    without = [block for block in top_blocks(selection.anatomy) if block not in by_block]
    if without:
        yield from ("", f"Blocks {index_ranges(without)} have no such parameter.")
