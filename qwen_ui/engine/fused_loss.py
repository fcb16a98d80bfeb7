"""The head and its loss by Liger's fused kernel (arXiv 2410.10989), where it is installed.

It asks the device for numbers, so that no graph can hold it: `step_graph` takes it where it is
faster than a graph.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from torch import nn

from qwen_ui.data import IGNORED
from qwen_ui.engine.chunked_loss import cast_head

# Rows of a chunk. Its own default is 64 to 128 at a vocabulary of 152 k, which is up to five times
# as slow on an H200 (docs/decisions/engine.md).
FUSED_ROWS = 2048


def has_fused_loss() -> bool:
    """Whether Liger's kernels are installed."""
    return importlib.util.find_spec("liger_kernel") is not None


def fused_head_loss(
    hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor
) -> torch.Tensor:
    """As `chunked_loss.head_loss`, in chunks about as large as its own."""
    functional: Any = importlib.import_module("liger_kernel.transformers.functional")
    weight_VH, bias_V = cast_head(hidden_NH, head)
    chunks = max(1, len(hidden_NH) // FUSED_ROWS)
    constant = -(-weight_VH.shape[0] // (weight_VH.shape[1] * chunks))
    with torch.autocast(hidden_NH.device.type, enabled=False):
        loss: torch.Tensor = functional.liger_fused_linear_cross_entropy(
            hidden_NH.to(weight_VH.dtype),
            weight_VH,
            targets_N,
            bias=bias_V,
            ignore_index=IGNORED,
            reduction="sum",
            chunk_mem_const=constant,
        )
    return loss.float()
