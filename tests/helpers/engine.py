"""A loop over a small model in memory, and the plain loop that it has to equal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from qwen_ui.data.batches import Examples, collate, load_examples
from qwen_ui.data.order import Order
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import Loop, OpenCaches
from qwen_ui.engine.optimizer import BETAS, EPSILON, MasterAdamW
from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey
from qwen_ui.engine.weight_decay import decayed_names
from qwen_ui.freeze import FreezePlan, Selection, apply, resolve
from qwen_ui.model import open_model

RATE, DECAY, CLIP, BATCH = 2e-3, 0.1, 1.0, 3


@dataclass
class Engine:
    loop: Loop
    model: PreTrainedModel
    trainee: Trainee
    selection: Selection
    examples: Examples
    said: list[str]


def load(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).train()


def cache_opener(
    examples: Examples, depth: int, budget: int = 10**8, weights: str = "weights"
) -> OpenCaches:
    """One cache for all examples: they are the same ones here."""

    def opened(width: int, dtype: torch.dtype) -> tuple[PrefixCache, PrefixCache, PrefixCache]:
        key = PrefixKey(weights, "", examples.fingerprint, depth, str(dtype), "cpu", "here")
        cache = PrefixCache(key, examples, width, dtype, budget)
        return cache, cache, cache

    return opened


def make_engine(
    folder: Path,
    data: Path,
    plan: FreezePlan,
    *,
    cache: bool = True,
    budget: int = 10**8,
    dtype: torch.dtype = torch.float32,
    packing: bool = False,
    gradient_accumulation_steps: int = 1,
    keep: bool = False,
) -> Engine:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    examples = load_examples(str(data), tokenizer, 48, packing=packing)
    model = load(folder, dtype)
    selection = resolve(plan, open_model(str(folder)))
    apply(selection, model)
    trainee = Trainee(model, selection, cache_prefix=cache)
    loop = Loop(
        trainee,
        MasterAdamW(model, weight_decay=DECAY, gradient_clip=CLIP),
        examples,
        examples,
        rate=lambda step: RATE,
        batch_size=BATCH,
        gradient_accumulation_steps=gradient_accumulation_steps,
        open_caches=cache_opener(examples, trainee.prefix_blocks, budget),
        keep=examples if keep else None,
    )
    return Engine(loop, model, trainee, selection, examples, loop.verify())


def plain_losses(folder: Path, examples: Examples, selection: Selection, steps: int) -> list[float]:
    """Losses of torch's own AdamW over the full model with transformers' own loss."""
    model = load(folder)
    apply(selection, model)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    decayed = decayed_names(model)
    groups = [
        {"params": [p for n, p in trained.items() if n in decayed], "weight_decay": DECAY},
        {"params": [p for n, p in trained.items() if n not in decayed], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=RATE, betas=BETAS, eps=EPSILON)
    order, losses = Order(examples, BATCH, 0), []
    for step in range(steps):
        batch = collate(examples, order.batch(step), 0)
        loss = model(**batch.inputs, labels=batch.labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), CLIP)
        adam.step()
        adam.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def separate_loss(model: PreTrainedModel, examples: Examples) -> float:
    """Sum of the losses of every example run on its own."""
    total = 0.0
    for index in range(len(examples.items)):
        batch = collate(examples, (index,), 0)
        logits = model(**batch.inputs).logits.flatten(0, 1)[batch.rows]
        total += float(F.cross_entropy(logits, batch.targets, reduction="sum").detach())
    return total
