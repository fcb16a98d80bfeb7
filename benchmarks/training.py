"""What the training benchmarks share: models in memory, our loop, the plain loop, Trainer."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import (
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.initialization import no_init_weights

from qwen_ui.data import Example, Examples, Order, collate
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.optimizer import BETAS, EPSILON, MasterAdamW
from qwen_ui.engine.prefix_cache import PrefixCache, PrefixKey
from qwen_ui.engine.weight_decay import decayed_names
from qwen_ui.freeze import FreezePlan, Selection, apply, resolve
from qwen_ui.model import open_model

DECAY, CLIP = 0.1, 1.0


def nano(dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    folder = open_model("nano").weights_folder
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).train()


def random_model(configuration: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """A model of this shape with seeded random weights."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(configuration, dtype=dtype).train()


def tiled_model(configuration: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """A large model of this shape, its matrices filled from one block of seeded random numbers.

    Drawing 1.5 B normal numbers takes minutes; copying them takes a second.
    """
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(configuration, dtype=dtype).train()
    generator = torch.Generator().manual_seed(0)
    model.tie_weights()
    block = (torch.randn(1_000_003, generator=generator) * 0.02).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() < 2:
                parameter.fill_(1.0)
            else:
                flat = parameter.view(-1)
                for start in range(0, len(flat), len(block)):
                    part = flat[start : start + len(block)]
                    part.copy_(block[: len(part)])
    return model


def random_examples(words: int, count: int, length: int, share: float = 1.0) -> Examples:
    """Sequences of random tokens, the last `share` of each carrying loss."""
    generator = torch.Generator().manual_seed(0)
    without = max(1, round(length * (1 - share)))
    carries = (False,) * without + (True,) * (length - without)
    rows = torch.randint(0, words, (count, length), generator=generator).tolist()
    return Examples(tuple(Example(tuple(row), carries, "random") for row in rows))


def our_loop(
    model: PreTrainedModel,
    plan: FreezePlan,
    examples: Examples,
    batch_size: int,
    rate: float = 1e-3,
    *,
    keep: bool = True,
) -> tuple[Loop, Selection]:
    """Our loop over a model in memory, its shortcuts verified."""
    selection = resolve(plan, open_model(model))
    apply(selection, model)
    trainee = Trainee(model, selection, cache_prefix=keep)
    key = PrefixKey(
        f"bench {time.time_ns()}", "", examples.fingerprint, trainee.prefix_blocks, "", "", ""
    )

    def caches(width: int, dtype: torch.dtype) -> tuple[PrefixCache, PrefixCache, None]:
        cache = PrefixCache(key, examples, width, dtype, 2 * 1024**3)
        return cache, cache, None

    loop = Loop(
        trainee,
        MasterAdamW(model, weight_decay=DECAY, gradient_clip=CLIP),
        examples,
        examples,
        rate=lambda step: rate,
        batch_size=batch_size,
        open_caches=caches,
    )
    for said in loop.verify():
        print(said)
    return loop, selection


def plain_losses(
    model: PreTrainedModel,
    plan: FreezePlan,
    examples: Examples,
    batch_size: int,
    steps: int,
    rate: float = 1e-3,
) -> list[float]:
    """torch's AdamW over the whole model, transformers' own loss."""
    apply(resolve(plan, open_model(model)), model)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    decayed = decayed_names(model)
    groups = [
        {"params": [p for n, p in trained.items() if n in decayed], "weight_decay": DECAY},
        {"params": [p for n, p in trained.items() if n not in decayed], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=rate, betas=BETAS, eps=EPSILON)
    order, losses = Order(examples, batch_size, 0), []
    for step in range(steps):
        batch = collate(examples, order.batch(step), 0)
        loss = model(**batch.inputs, labels=batch.labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(trained.values()), CLIP)
        adam.step()
        adam.zero_grad()
        losses.append(float(loss.detach()))
    return losses


class _Clock(TrainerCallback):
    def __init__(self, now: Callable[[], float]) -> None:
        self.seconds: list[float] = []
        self._last, self._now = 0.0, now

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        now = self._now()
        if self._last:
            self.seconds.append(now - self._last)
        self._last = now


def trainer_seconds(
    model: PreTrainedModel,
    examples: Examples,
    batch_size: int,
    steps: int,
    folder: str,
    now: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Seconds of each step of `transformers.Trainer`; the plan is applied to the model already."""
    rows = []
    for index in range(len(examples.items)):
        batch = collate(examples, (index,), 0)
        rows.append({"input_ids": batch.tokens_BT[0], "labels": batch.labels_BT[0]})
    clock = _Clock(now)
    arguments = TrainingArguments(
        folder,
        max_steps=steps,
        per_device_train_batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=DECAY,
        max_grad_norm=CLIP,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    Trainer(model, arguments, train_dataset=rows, callbacks=[clock]).train()
    return clock.seconds[1:]


def seconds_of(
    step: Callable[[int], Any], numbers: range, now: Callable[[], float] = time.perf_counter
) -> list[float]:
    seconds = []
    for number in numbers:
        begun = now()
        step(number)
        seconds.append(now() - begun)
    return seconds


def median(values: list[float]) -> float:
    return statistics.median(values)
