"""The loop that the engine has to equal: transformers' logits, torch's AdamW, no shortcut."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from transformers import PreTrainedModel

from qwen_ui.data import Example, Examples, collate
from qwen_ui.data.order import Order
from qwen_ui.engine.optimizer import BETAS, EPSILON
from qwen_ui.engine.weight_decay import decayed_names
from qwen_ui.model import open_model
from qwen_ui.model.skeleton import auto_class


def plain_training(
    model: PreTrainedModel,
    examples: Examples,
    *,
    steps: int,
    batch_size: int,
    rate: Callable[[int], float],
    decay: float,
    clip: float,
    accumulation: int = 1,
    autocast: Callable[[], Any] = nullcontext,
) -> list[float]:
    """Losses of these steps; the model's own weights are trained.

    Every sample is run by itself, packed or not; gradients are added up in float32, and copies of
    the weights in float32 take the steps.

    Args:
        batch_size: sequences of a micro-batch, over all processes.
    """
    model.train()
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
    copies = {n: p.detach().float().clone().requires_grad_() for n, p in weights.items()}
    decayed = decayed_names(model)
    groups = [
        {"params": [c for n, c in copies.items() if n in decayed], "weight_decay": decay},
        {"params": [c for n, c in copies.items() if n not in decayed], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, betas=BETAS, eps=EPSILON)
    order, losses = Order(examples, batch_size, 0), []
    for step in range(steps):
        items = [
            examples.items[index]
            for number in range(step * accumulation, (step + 1) * accumulation)
            for index in order.batch(number)
        ]
        carrying, total = sum(item.loss_tokens for item in items), 0.0
        for sample in (part for item in items for part in samples(item)):
            with autocast():
                loss = sample_loss(model, sample)
            (loss / carrying).backward()
            total += float(loss.detach())
            for name, copied in copies.items():
                if (gradient := weights[name].grad) is not None:
                    held = torch.zeros_like(copied) if copied.grad is None else copied.grad
                    copied.grad = held + gradient.float()
                    weights[name].grad = None
        if clip:
            torch.nn.utils.clip_grad_norm_(list(copies.values()), clip)
        adam.param_groups[0]["lr"] = adam.param_groups[-1]["lr"] = rate(step + 1)
        adam.step()
        adam.zero_grad()
        with torch.no_grad():
            for name, copied in copies.items():
                weights[name].copy_(copied)
        losses.append(total / carrying)
    return losses


def samples(item: Example) -> list[Example]:
    """The samples of a sequence, those without a loss left out."""
    parts = [
        Example(item.tokens[begin:end], item.loss_mask[begin:end], item.where)
        for begin, end in pairwise([*item.starts, len(item.tokens)])
    ]
    return [part for part in parts if part.loss_tokens]


def sample_loss(model: PreTrainedModel, sample: Example) -> torch.Tensor:
    """Sum of the losses of one sample (nats)."""
    batch = collate(Examples((sample,)), (0,), 0)
    logits_NV = model(**batch.inputs).logits.flatten(0, 1)[batch.rows]
    return F.cross_entropy(logits_NV.float(), batch.targets, reduction="sum")


def plain_loss(folder: Path, examples: Examples) -> float:
    """Mean loss of these examples in the model that plain transformers loads (nats).

    Raises:
        AssertionError: the folder does not hold exactly the model's tensors.
    """
    entry = auto_class(open_model(str(folder)).configuration)
    model, info = entry.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(info.values()), f"plain transformers reports {info}"
    return loss_of(model, examples)


def loss_of(model: Any, examples: Examples) -> float:
    """Mean loss of these examples in a model of transformers' or `peft`'s (nats)."""
    model.eval()
    total, count = 0.0, 0
    for example in examples.items:
        tokens = torch.tensor([example.tokens])
        mask = torch.ones_like(tokens)
        logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits[0, :-1]
        wanted = torch.tensor(example.loss_mask[1:])
        losses = F.cross_entropy(logits, tokens[0, 1:], reduction="none")
        total += float(losses.detach().double()[wanted].sum())
        count += int(wanted.sum())
    return total / count
