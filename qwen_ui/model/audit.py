"""The sanity checks of the inspection report: each is executed, none is asserted by hand.

A check looks at the anatomy or at the weightless module itself and says what it found as evidence.
Where a question does not arise (no attention heads to group), the check passes and says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy, Kind, Parameter, Role, language_config
from qwen_ui.model.dimensions import head_size
from qwen_ui.model.folding import ranges
from qwen_ui.model.gradients import check_gradients
from qwen_ui.model.skeleton import build_skeleton
from qwen_ui.model.weights import check_weights, weights_of


@dataclass(frozen=True, slots=True)
class Check:
    """One question put to the model, and what came out.

    Attributes:
        name: the question.
        passed: whether the model is as its configuration and names promise.
        evidence: what was found, with figures and names.
    """

    name: str
    passed: bool
    evidence: str


def audit(anatomy: Anatomy) -> tuple[Check, ...]:
    """Every check, in the report's order. Builds the weightless module again to run it.

    Raises:
        ModelError: the anatomy is that of a bare module, or it cannot be built again.
    """
    mode = FakeTensorMode()
    # Grouped expert products have no fake kernel in float32; shapes are the same in either dtype.
    module = build_skeleton(anatomy.configuration, dtype=torch.bfloat16, mode=mode)
    found = [Check(name, *check(anatomy)) for name, check in STRUCTURAL.items()]
    total = Check("Do the tensors sum to the model's own total?", *check_total(anatomy, module))
    gradients = Check(
        "Does a weightless backward put gradients exactly on the selected parameters?",
        *check_gradients(anatomy, module, mode),
    )
    if anatomy.weights_folder is None:
        return (total, *found, gradients)
    stored = Check("Do the weights at hand fit the architecture?", *check_stored(anatomy))
    return (total, *found, gradients, stored)


def check_stored(anatomy: Anatomy) -> tuple[bool, str]:
    """Names and shapes of the safetensors files, by their headers, against the architecture."""
    try:
        stored = weights_of(anatomy)
    except ModelError as error:
        return False, str(error)
    found = check_weights(anatomy, stored)
    files = "1 file" if len(stored.files) == 1 else f"{len(stored.files)} files"
    read = f"{stored.bytes_read:,} bytes read of {files}"
    return found.fits, f"{found.sentence} ({len(stored.tensors):,} tensors, {read})"


def check_total(anatomy: Anatomy, module: nn.Module) -> tuple[bool, str]:
    """The anatomy's count against the module's own, and what counting ties twice would give."""
    own = sum(parameter.numel() for parameter in module.parameters())
    naive = sum(p.numel() for _, p in module.named_parameters(remove_duplicate=False))
    listed = anatomy.total_parameters
    evidence = f"{listed:,} listed in {len(anatomy.parameters):,} tensors, {own:,} in the module"
    if naive != own:
        evidence += f"; counting tied tensors twice would give {naive:,}"
    return listed == own, evidence + "."


def check_sharing(anatomy: Anatomy) -> tuple[bool, str]:
    """Tensors with two names, against what the configuration says of the head."""
    promised = anatomy.config.get("tie_word_embeddings")
    if promised is None:
        promised = language_config(anatomy.config).get("tie_word_embeddings")
    head_is_tied = any(_is_head_tie(anatomy, group) for group in anatomy.tied)
    groups = "; ".join(" = ".join(f"`{name}`" for name in group) for group in anatomy.tied[:4])
    more = f" and {len(anatomy.tied) - 4} more groups" if len(anatomy.tied) > 4 else ""
    said = f"tie_word_embeddings is {promised}"
    if anatomy.tied:
        evidence = f"Yes: {groups}{more} (found by identity; {said}). Training one trains both."
    else:
        evidence = f"No: every name is a tensor of its own ({said})."
    return promised is None or bool(promised) == head_is_tied, evidence


def _is_head_tie(anatomy: Anatomy, group: tuple[str, ...]) -> bool:
    return all(anatomy.by_name[name].block is None for name in group)


def check_attention(anatomy: Anatomy) -> tuple[bool, str]:
    """Rows of the query, key and value projections against the configuration's heads."""
    config = language_config(anatomy.config)
    heads, size = config.get("num_attention_heads"), head_size(config)
    groups = config.get("num_key_value_heads") or heads
    rows = {letter: kind for kind in anatomy.kinds for letter in "qkv" if _projects(kind, letter)}
    if not (isinstance(heads, int) and isinstance(groups, int) and size) or set(rows) != set("qkv"):
        return True, "Not applicable: no separate q, k and v projections with heads to compare."
    wanted = {"q": heads * size, "k": groups * size, "v": groups * size}
    fits = all(rows[letter].shape[0] == wanted[letter] for letter in "qkv")
    form = "multi-query" if groups == 1 else "grouped-query" if groups < heads else "multi-head"
    shapes = ", ".join(
        f"`{rows[letter].kind}` has {rows[letter].shape[0]:,} rows"
        + ("" if rows[letter].shape[0] == wanted[letter] else f" instead of {wanted[letter]:,}")
        for letter in "qkv"
    )
    effect = (
        f"each key-value head serves {heads // groups} query heads, so k and v are "
        f"{heads // groups} times smaller than q"
        if groups < heads
        else "k and v are as large as q"
    )
    return fits, f"{form} attention, {heads} query and {groups} key-value heads of {size}: " + (
        f"{shapes}; {effect}."
    )


def _projects(kind: Kind, letter: str) -> bool:
    path = kind.kind.split(".")
    return bool(kind.blocks) and path[-1] == "weight" and path[-2:-1] == [f"{letter}_proj"]


def check_norms(anatomy: Anatomy) -> tuple[bool, str]:
    """The classes of the norms, and whether they carry biases; one class is expected."""
    owners = {p.module for p in anatomy.parameters if p.role is Role.NORM}
    classes = Counter(anatomy.modules_by_name[name].class_name for name in owners)
    if not classes:
        return True, "Not applicable: no norm has parameters."
    biases = [p.name for p in anatomy.parameters if p.role is Role.NORM and _is_bias(p)]
    listed = ", ".join(f"{count} × {name}" for name, count in classes.most_common())
    family = "root-mean-square norms" if all("RMS" in name for name in classes) else "norms"
    evidence = f"{listed} ({family}); " + (
        f"{len(biases)} norm biases, the first `{biases[0]}`" if biases else "no norm has a bias"
    )
    return len(classes) == 1, evidence + "."


def _is_bias(parameter: Parameter) -> bool:
    return parameter.name.rpartition(".")[2] in ("bias", "beta")


def check_mlp(anatomy: Anatomy) -> tuple[bool, str]:
    """Gated or plain, and whether the matrices fit each other in every block."""
    kinds = {k.kind: k for k in anatomy.kinds if k.role is Role.MLP and len(k.shape) == 2}
    by_leaf = {kind.split(".")[-2]: k for kind, k in kinds.items() if kind.endswith(".weight")}
    if not {"gate_proj", "up_proj", "down_proj"} <= set(by_leaf):
        listed = ", ".join(f"`{kind}` {_shape(k)}" for kind, k in list(kinds.items())[:4])
        return True, f"Not a gated MLP with separate matrices: {listed or 'no MLP matrices'}."
    gate, up, down = (by_leaf[leaf] for leaf in ("gate_proj", "up_proj", "down_proj"))
    shapes = {
        leaf: {p.shape for p in anatomy.parameters if p.kind == by_leaf[leaf].kind}
        for leaf in ("gate_proj", "up_proj", "down_proj")
    }
    fits = gate.shape == up.shape == down.shape[::-1] and all(len(s) == 1 for s in shapes.values())
    activation = language_config(anatomy.config).get("hidden_act", "unknown")
    biases = sum(1 for p in anatomy.parameters if p.role is Role.MLP and _is_bias(p))
    return fits, (
        f"Gated MLP, down({activation}(gate(x)) · up(x)): gate {_shape(gate)}, up {_shape(up)}, "
        f"down {_shape(down)} in {len(gate.blocks)} blocks; {biases} MLP biases."
    )


def _shape(kind: Kind) -> str:
    return " × ".join(f"{size:,}" for size in kind.shape)


def check_unusual(anatomy: Anatomy) -> tuple[bool, str]:
    """Parameters whose role cannot be read from the classes around them."""
    unusual = [kind for kind in anatomy.kinds if kind.role is Role.OTHER]
    if not unusual:
        return True, "Yes: every parameter belongs to one of the usual parts."
    count = sum(kind.parameters for kind in unusual)
    listed = ", ".join(f"`{kind.kind}`" for kind in unusual[:6])
    more = f" and {len(unusual) - 6} more kinds" if len(unusual) > 6 else ""
    share = 100 * count / anatomy.total_parameters
    return False, f"No: {count:,} parameters ({share:.3g} %) in {listed}{more}."


def check_pattern(anatomy: Anatomy) -> tuple[bool, str]:
    """Whether one pattern with a whole number in it takes every block and nothing else."""
    if not anatomy.blocks:
        return False, "The model has no list of blocks."
    pattern = block_pattern(anatomy)
    indexes = {int(found[1]) for p in anatomy.parameters if (found := re.match(pattern, p.name))}
    expected = {block.index for block in anatomy.blocks if block.parameters}
    kinds = [frozenset(p.kind for p in anatomy.parameters if p.block == i) for i in expected]
    forms = len(set(kinds))
    alike = (
        "all have the same kinds" if forms == 1 else f"they have {forms} different sets of kinds"
    )
    return indexes == expected, (
        f"`{pattern}` matches blocks {ranges(sorted(indexes)) or 'none'} of "
        f"{anatomy.block_count}; {alike}."
    )


def check_collisions(anatomy: Anatomy) -> tuple[bool, str]:
    """Whether an index read as a whole number takes its own block alone, where text would not."""
    pattern = re.compile(block_pattern(anatomy))
    for block in anatomy.blocks:
        parsed = {p.name for p in anatomy.parameters if _index(pattern, p.name) == block.index}
        own = {p.name for p in anatomy.parameters if p.block == block.index}
        if parsed != own:
            return False, f"Index {block.index} takes {len(parsed)} names, block has {len(own)}."
    index = 2 if anatomy.block_count > 2 else 0
    text = f"{anatomy.stack}.{index}"
    loose = [p.block for p in anatomy.parameters if text in p.name]
    exact = sum(1 for p in anatomy.parameters if p.block == index)
    also = sorted({block for block in loose if block is not None and block != index})
    if not also:
        return True, f"Yes: even the text `{text}` is found in block {index} alone."
    return True, (
        f"Read as whole numbers, yes: block {index} has {exact} names. As text, no: `{text}` is "
        f"found in {len(loose)} names, of blocks {index} and {ranges(also)}."
    )


def _index(pattern: re.Pattern[str], name: str) -> int | None:
    found = pattern.match(name)
    return int(found[1]) if found else None


def block_pattern(anatomy: Anatomy) -> str:
    """The regular expression of a block's names; its group is the index, to be read as a number."""
    return rf"^{re.escape(anatomy.stack)}\.(\d+)\."


STRUCTURAL: dict[str, Callable[[Anatomy], tuple[bool, str]]] = {
    "Is any parameter shared, as the configuration says?": check_sharing,
    "Is attention grouped, and do k and v have the rows for it?": check_attention,
    "Which norm, and is it the same everywhere?": check_norms,
    "Which MLP, and do its matrices fit in every block?": check_mlp,
    "Is every module of a usual kind?": check_unusual,
    "Does the block pattern match every block?": check_pattern,
    "Do block indexes stay apart (layers.2 and layers.24)?": check_collisions,
}
