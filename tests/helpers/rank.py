"""The slow, plain way to what rankings measure, on a small model."""

from __future__ import annotations

import torch
from torch.nn import functional as F
from transformers import PreTrainedModel

from qwen_ui.data.batches import Batch

BLOCKS = 4


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


def mask_of(batch: Batch) -> torch.Tensor:
    """1 where there is a token; the batches of these tests are padded, not packed."""
    assert batch.mask_BT is not None
    return batch.mask_BT


def plain_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """The loss as transformers computes it, in the model's own dtype."""
    logits = model(input_ids=batch.tokens_BT, attention_mask=batch.mask_BT, use_cache=False).logits
    return F.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels_BT[:, 1:].flatten(), ignore_index=-100
    )


@torch.no_grad()
def hidden_states(model: PreTrainedModel, batch: Batch) -> list[torch.Tensor]:
    """What goes into the first block, and what comes out of each."""
    states: list[torch.Tensor] = []
    layers = model.model.layers
    handles = [layers[0].register_forward_pre_hook(lambda _, a: states.append(a[0]))]
    handles += [layer.register_forward_hook(lambda _, __, o: states.append(o)) for layer in layers]
    model(input_ids=batch.tokens_BT, attention_mask=batch.mask_BT)
    for handle in handles:
        handle.remove()
    return states


def make_identity(model: PreTrainedModel, index: int) -> None:
    """Both branches of the block put out nothing, so that only its input remains."""
    block = model.model.layers[index]
    torch.nn.init.zeros_(block.self_attn.o_proj.weight)
    torch.nn.init.zeros_(block.mlp.down_proj.weight)
