"""Python code that freezes a model exactly: the part that every script export shares."""

from __future__ import annotations

from qwen_ui.freeze.canonical import grouped_kinds
from qwen_ui.freeze.selection import Selection
from qwen_ui.model import NANO, hub_id

_FREEZE = '''

def freeze(model):
    """Train exactly the tensors in TRAINABLE; call it before the optimizer is made."""
    parameters = dict(model.named_parameters())
    missing = sorted(TRAINABLE - parameters.keys())
    if missing:
        raise ValueError(f"{len(missing)} names are not in this model, for instance {missing[0]}")
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in TRAINABLE)
        parameter.grad = None
    return model
'''


def freeze_function(selection: Selection) -> str:
    """`TRAINABLE`, the set of exact names, and `freeze(model)`; needs no import."""
    return f"# {selection.summary}\nTRAINABLE = {_names_expression(selection)}\n{_FREEZE}"


def model_for_transformers(selection: Selection) -> str:
    """The argument of `from_pretrained`: a hub id or a folder."""
    anatomy = selection.anatomy
    if anatomy.source == NANO and anatomy.weights_folder is not None:
        return str(anatomy.weights_folder)
    return hub_id(anatomy.source)


def _names_expression(selection: Selection) -> str:
    """A union of products of block indexes and kinds, every index an integer."""
    parts = []
    for blocks, kinds in grouped_kinds(selection.anatomy, selection.names).items():
        listed = "".join(f"        {kind!r},\n" for kind in kinds)
        parts.append(
            f'{{\n    f"{selection.anatomy.stack}.{{block}}.{{kind}}"\n'
            f"    for block in {_indexes(blocks)}\n    for kind in (\n{listed}    )\n}}"
        )
    outside = [p.name for p in selection.parameters if p.block is None]
    if outside:
        parts.append("{\n" + "".join(f"    {name!r},\n" for name in outside) + "}")
    return " | ".join(parts) or "set()"


def _indexes(blocks: tuple[int, ...]) -> str:
    if blocks == tuple(range(blocks[0], blocks[-1] + 1)):
        return f"range({blocks[0]}, {blocks[-1] + 1})"
    return repr(blocks)
