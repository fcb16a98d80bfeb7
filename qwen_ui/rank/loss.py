"""The loss that blocks are ranked on."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from qwen_ui.data import Batch
from qwen_ui.model.libraries import PreTrainedModel


def mean_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy (nats) over the positions of a batch that carry one."""
    logits_NV = model(**batch.inputs).logits.flatten(0, 1).index_select(0, batch.rows)
    return F.cross_entropy(logits_NV.float(), batch.targets)
