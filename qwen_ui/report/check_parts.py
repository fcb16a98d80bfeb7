"""Sanity checks on the parts of a block: norms, MLP, and parts of no usual kind."""

from __future__ import annotations

from collections import Counter

from qwen_ui.formats import percent, shape_text
from qwen_ui.model import (
    Anatomy,
    Kind,
    Parameter,
    Role,
    config_text,
    is_bias,
    language_config,
)


def check_norms(anatomy: Anatomy) -> tuple[bool, str]:
    """The classes of the norms, of which the residual stream should have one, and their biases."""
    owners = {p.module for p in anatomy.parameters if p.role is Role.NORM}
    classes = Counter(anatomy.modules_by_name[name].class_name for name in owners)
    if not classes:
        return True, "Not applicable: no norm has parameters."
    # A norm inside a part (of queries, of a gated state) may be of another class; those on the
    # residual stream, in the blocks and after them, should be of one.
    places = {anatomy.stack.rpartition(".")[0], *(block.name for block in anatomy.blocks)}
    stream = {anatomy.modules_by_name[n].class_name for n in owners if _parent(n) in places}
    biases = [p.name for p in anatomy.parameters if p.role is Role.NORM and is_bias(p.name)]
    listed = ", ".join(f"{count} × {name}" for name, count in classes.most_common())
    family = "root-mean-square norms" if all("RMS" in name for name in classes) else "norms"
    evidence = f"{listed} ({family}); " + (
        f"{len(biases)} norm biases, the first `{biases[0]}`" if biases else "no norm has a bias"
    )
    if len(classes) > 1:
        evidence += f"; on the residual stream {' and '.join(sorted(stream)) or 'none'}"
    return len(stream) <= 1, evidence + "."


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


# The matrices of an MLP by the ends of their names: gate, way up, way down.
_GATED = ("gate_proj", "up_proj", "down_proj")


def check_mlp(anatomy: Anatomy) -> tuple[bool, str]:
    """Gated or plain, and whether the matrices of each MLP fit each other in its block."""
    mlps = _matrices_by_mlp(anatomy)
    gated = {place: found for place, found in mlps.items() if set(_GATED) <= set(found)}
    if not gated:
        kinds = [k for k in anatomy.kinds if k.role is Role.MLP and k.blocks and len(k.shape) == 2]
        listed = ", ".join(f"`{kind.kind}` {_shape(kind)}" for kind in kinds[:4])
        return True, f"Not a gated MLP with separate matrices: {listed or 'no MLP matrices'}."
    wrong = next((place for place, found in gated.items() if not _fits(found)), None)
    block, path = wrong or next(iter(gated))
    sizes = ", ".join(
        f"{leaf.removesuffix('_proj')} {_sizes(gated[block, path][leaf])}" for leaf in _GATED
    )
    activation = config_text(language_config(anatomy.config), "hidden_act") or "act"
    biases = sum(1 for p in anatomy.parameters if p.role is Role.MLP and is_bias(p.name))
    where = f"; they do not fit in block {block}" if wrong else f" in {_count(gated)}"
    return wrong is None, (
        f"Gated MLP, down({activation}(gate(x)) · up(x)): {sizes}{where}; {biases} MLP biases."
    )


def _matrices_by_mlp(anatomy: Anatomy) -> dict[tuple[int, str], dict[str, Parameter]]:
    """(block, path of the MLP) -> its matrices by the last part of their module's name."""
    found: dict[tuple[int, str], dict[str, Parameter]] = {}
    for p in anatomy.parameters:
        path = p.kind.split(".")
        if p.block is None or p.role is not Role.MLP or len(p.shape) != 2 or len(path) < 2:
            continue
        if path[-1] == "weight":
            found.setdefault((p.block, ".".join(path[:-2])), {})[path[-2]] = p
    return found


def _fits(matrices: dict[str, Parameter]) -> bool:
    gate, up, down = (matrices[leaf].shape for leaf in _GATED)
    return gate == up == down[::-1]


def _count(mlps: dict[tuple[int, str], dict[str, Parameter]]) -> str:
    """`28 blocks`, or each path with its number where there are several."""
    paths = Counter(path for _, path in mlps)
    if len(paths) == 1:
        return f"{len(mlps)} blocks"
    return ", ".join(f"{count} blocks as `{path}`" for path, count in paths.items())


def _sizes(parameter: Parameter) -> str:
    return shape_text(parameter.shape)


def _shape(kind: Kind) -> str:
    return shape_text(kind.shape)


def check_unusual(anatomy: Anatomy) -> tuple[bool, str]:
    """Parameters whose role cannot be read from the classes around them."""
    unusual = [kind for kind in anatomy.kinds if kind.role is Role.OTHER]
    if not unusual:
        return True, "Yes: every parameter belongs to one of the usual parts."
    count = sum(kind.parameters for kind in unusual)
    listed = ", ".join(f"`{kind.kind}`" for kind in unusual[:6])
    more = f" and {len(unusual) - 6} more kinds" if len(unusual) > 6 else ""
    share = percent(count / anatomy.total_parameters)
    return False, f"No: {count:,} parameters ({share}) in {listed}{more}."
