"""Learning rates to begin with, by what a plan trains, the model's width, the steps and the batch.

Few parameters want a higher rate than many, a narrow model a higher one than a wide one, and a
short run a higher one than a long one. One rule with a constant for each kind of plan was fitted to
sweeps on two models (docs/rates.md, which says how near the best it comes, and for what it was
never measured). The learning-rate finder finds the best one for a case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ui.engine.rate_finder import HIGHEST_RATE, by_length
from qwen_ui.formats import rate_text
from qwen_ui.model import Role, is_bias
from qwen_ui.runs import rate_search_of, run_folder

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection
    from qwen_ui.model import Parameter
    from qwen_ui.runs import RunSpec

FULL_SHARE = 0.5
# Where the rule was fitted: 40 steps of 4 sequences, 4 blocks of a model 576 wide.
STEPS, BATCH, BLOCKS, WIDTH = 40, 4, 4, 576
RATES = {
    "biases": 2.5e-1,
    "norms": 1.8e-2,
    "attention": 2.4e-3,
    "mlp": 9e-4,
    "embeddings": 6e-4,
    "full": 2.5e-4,
    "lora": 1.25e-2,
}
# Powers by which the rate falls with the width and the trained blocks, and rises with the batch.
# Embeddings fall less with the width, for a row of theirs is no sum over it; LoRA least, since the
# scale of its adapters does not depend on the weights'.
BY_WIDTH, BY_BLOCKS, BY_BATCH = 1.8, 0.3, 0.25
BY_WIDTH_OF = {"embeddings": 1.5, "lora": 0.5}
# Of what was measured; narrower models take the rates of the narrowest.
NARROWEST, LONGEST = 128, 200
_ROLES = {
    Role.ATTENTION: "attention",
    Role.EMBEDDING: "embeddings",
    Role.HEAD: "embeddings",
}


@dataclass(frozen=True, slots=True)
class SuggestedRate:
    """A learning rate, and where it comes from.

    Attributes:
        note: why it is not the one that was asked for; "" where it is.
    """

    rate: float
    source: str
    note: str = ""


def suggest_learning_rate(
    selection: Selection, *, steps: int, batch: int, lora: bool = False
) -> SuggestedRate:
    """The rate to begin with for this plan, or LoRA on its modules, on this model.

    Args:
        steps: optimizer steps of the run.
        batch: sequences per step, over all processes and micro-batches.
    """
    blocks = len({p.block for p in selection.parameters if p.block is not None})
    kind = kind_of(selection, lora=lora)
    width = max(width_of(selection), NARROWEST)
    rate = RATES[kind] * (WIDTH / width) ** BY_WIDTH_OF.get(kind, BY_WIDTH)
    rate *= by_length(steps) / by_length(STEPS)
    rate *= (batch / BATCH) ** BY_BATCH
    rate *= (BLOCKS / max(blocks, 1)) ** BY_BLOCKS
    rounded = float(f"{min(rate, HIGHEST_RATE):.1e}")
    source = f"suggested for {steps:,} steps of {batch:,} sequences"
    if steps > LONGEST or width > WIDTH:
        source += (
            f", beyond what was measured ({LONGEST:,} steps, models {WIDTH} wide): better find one"
        )
    return SuggestedRate(rounded, source)


def kind_of(selection: Selection, *, lora: bool = False) -> str:
    """Which of `RATES` a plan takes, or LoRA on its modules: the lowest of those of its parts."""
    if lora:
        return "lora"
    if selection.trainable_fraction > FULL_SHARE:
        return "full"
    return min({_kind(parameter) for parameter in selection.parameters}, key=RATES.__getitem__)


def _kind(parameter: Parameter) -> str:
    if len(parameter.shape) >= 2:
        return _ROLES.get(parameter.role, "mlp")
    return "biases" if is_bias(parameter.name) else "norms"


def width_of(selection: Selection) -> int:
    """How wide the model is: the smaller side of its largest matrix, mostly the embedding's."""
    shapes = [p.shape for p in selection.anatomy.parameters if len(p.shape) >= 2]
    return min(max(shapes, key=math.prod)[-2:])


def peak_rate(spec: RunSpec, selection: Selection) -> SuggestedRate:
    """The peak learning rate of a run: given, found by another run, or suggested."""
    settings = spec.optimization
    if settings.learning_rate is not None:
        return SuggestedRate(settings.learning_rate, "given")
    batch = settings.batch_size * settings.gradient_accumulation_steps * spec.resources.processes
    suggested = suggest_learning_rate(
        selection, steps=settings.steps, batch=batch, lora=spec.model.lora_rank > 0
    )
    if settings.learning_rate_run is None:
        return suggested
    search = rate_search_of(run_folder(settings.learning_rate_run))
    if search.rate is not None:
        return SuggestedRate(search.rate, search.source)
    note = (
        f"The learning-rate finder '{search.run}' is {search.status} and found no rate. "
        f"{search.reason} This run takes the suggested rate, {rate_text(suggested.rate)}."
    )
    return SuggestedRate(suggested.rate, suggested.source, note)
