"""One real step of a small model under the counters: what a price is held against."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import PreTrainedModel

from qwen_ui.freeze.cost.live_bytes import LiveBytes, SavedBytes, flop_counter


@dataclass(frozen=True)
class Measured:
    flops_forward: int
    flops_step: int
    activation_bytes: int
    peak_bytes: int


class CollectingBytes(LiveBytes):
    """Collects garbage first: torch's checkpointing leaves cycles, which hold tensors."""

    def _sweep(self) -> None:
        gc.collect()
        super()._sweep()


def measure(
    module: PreTrainedModel,
    batch_size: int,
    length: int,
    *,
    padded: bool,
    micro_batches: int = 1,
    live: LiveBytes | None = None,
) -> Measured:
    """FLOPs, saved activations of a micro-batch, and the most bytes alive beside the weights."""
    module.train()
    module.zero_grad(set_to_none=True)
    tokens = torch.randint(0, 64, (batch_size, length))
    mask = torch.ones_like(tokens)
    if padded:
        mask[0, 0] = 0
    live = live or LiveBytes()
    flops_forward = flops_backward = 0
    for _ in range(micro_batches):
        saved = SavedBytes(module)
        forward, backward = flop_counter(), flop_counter()
        with forward, live, saved_tensors_hooks(saved.pack, lambda tensor: tensor):
            inputs = {"input_ids": tokens, "attention_mask": mask, "labels": tokens}
            loss = module(**inputs, use_cache=False).loss
        activation_bytes = saved.total
        saved.storages.clear()
        with backward, live:
            loss.backward()
        del loss
        flops_forward += forward.get_total_flops()
        flops_backward += backward.get_total_flops()
    return Measured(
        flops_forward=flops_forward,
        flops_step=flops_forward + flops_backward,
        activation_bytes=activation_bytes,
        peak_bytes=live.peak,
    )
