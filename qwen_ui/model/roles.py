"""What a parameter does, read from the classes of the modules around it.

Names of one family prove nothing about another; classes say more (`Qwen2Attention`, `FalconMLP`,
`nn.LayerNorm`). The nearest module that tells decides: a norm inside attention is a norm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import nn

from qwen_ui.model.anatomy import Role

# Looked for in the class name first, then in the module's own name, nearest module first.
_CLUES: tuple[tuple[Role, re.Pattern[str]], ...] = (
    (Role.NORM, re.compile(r"norm|^ln(_|$)|(^|_)ln\d*$", re.I)),
    (Role.ROUTER, re.compile(r"router|TopKGate|MoEGate(?!d)|expert_gate$", re.I)),
    (Role.EXPERT, re.compile(r"experts?(\d|_|$)|expert(?=[A-Z])|MoeMLP.*Expert", re.I)),
    (Role.ATTENTION, re.compile(r"att(ention|n)|(?<![a-z])mla(?![a-z])", re.I)),
    (
        Role.MLP,
        re.compile(
            r"mlp|feed_?forward|ffn|DenseReluDense|(^|_)ff(_|$)|^(fc|lin)[12]$|^fc_(in|out)$"
            r"|Intermediate$|(?<!Self)(?<!Attention)Output$",
            re.I,
        ),
    ),
    (Role.EMBEDDING, re.compile(r"embed", re.I)),
)


def role_of(
    name: str,
    modules: Mapping[str, nn.Module],
    *,
    head: nn.Module | None,
    block: str | None,
) -> Role:
    """The role of the parameter `name`.

    Args:
        modules: every module of the model by its name.
        head: the module that puts out the logits, where the model has one.
        block: name of the parameter's block; clues outside it are not asked.
    """
    path = name.rpartition(".")[0]
    owner = modules[path]
    if head is not None and owner is head:
        return Role.HEAD
    if isinstance(owner, nn.Embedding):
        return Role.EMBEDDING
    while path and path != block:
        found = _clue(modules[path], path.rpartition(".")[2])
        # A whole image encoder may be called an embedding: only the nearest modules may say so.
        near = path in (name.rpartition(".")[0], name.rsplit(".", 2)[0])
        if found is not None and (found is not Role.EMBEDDING or near):
            return found
        path = path.rpartition(".")[0]
    if block is not None and re.search(r"FFN$", type(modules[block]).__name__):
        return Role.MLP  # XLM keeps its MLPs in a list of their own
    if block is None and _HEADS.match(name):
        return Role.HEAD
    return _leaf_role(name)


# Where the head is more than one matrix (BERT's transform), its parts stand under these names.
_HEADS = re.compile(r"(lm_head|cls|embed_out|generator_(predictions|lm_head)|pred_layer)\.")


def _clue(module: nn.Module, own_name: str) -> Role | None:
    texts = (own_name,) if isinstance(module, nn.ModuleList) else (type(module).__name__, own_name)
    for text in texts:
        for role, pattern in _CLUES:
            if pattern.search(text):
                return role
    return None


def _leaf_role(name: str) -> Role:
    """For parameters that hang on a block directly, only their own name can tell."""
    leaf = name.rpartition(".")[2]
    for role, pattern in _CLUES:
        if pattern.search(leaf):
            return role
    return Role.OTHER
