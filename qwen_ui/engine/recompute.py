"""Gradient checkpointing: blocks save what goes in, and are computed again in the backward pass.

Chen et al., arXiv 1604.06174. torch's own `checkpoint` around each block, as the price traces it;
models' own switches for it differ between families and versions of transformers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from qwen_ui.engine.prefix_cut import uses_dropout


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Have these blocks computed again in backward passes, from now on, while they train."""
    for block in blocks:
        _recompute(block)


def _recompute(block: nn.Module) -> None:
    compute = block.forward
    drops = uses_dropout(block.modules())

    def forward(*args: Any, **kwargs: Any) -> Any:
        if not (block.training and torch.is_grad_enabled()):
            return compute(*args, **kwargs)
        return checkpoint(compute, *args, use_reentrant=False, preserve_rng_state=drops, **kwargs)

    block.forward = forward
