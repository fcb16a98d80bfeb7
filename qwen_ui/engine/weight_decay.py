"""Which parameters weight decay is for."""

from __future__ import annotations

from torch import nn


def decayed_names(module: nn.Module) -> frozenset[str]:
    """Parameters that decay: matrices, except those of norms and embeddings.

    Decided by dimension and class: names such as "LayerNorm" miss Qwen's norms.
    """
    names = []
    for prefix, child in module.named_modules():
        if isinstance(child, nn.Embedding) or "norm" in type(child).__name__.lower():
            continue
        for name, parameter in child.named_parameters(recurse=False):
            if parameter.dim() >= 2:
                names.append(f"{prefix}.{name}" if prefix else name)
    embeddings = {
        id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
    }
    own = dict(module.named_parameters())
    return frozenset(n for n in names if n in own and id(own[n]) not in embeddings)
