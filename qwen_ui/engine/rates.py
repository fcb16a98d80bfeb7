"""Learning rates to begin with, by what a plan trains and how large the model is.

Few parameters want a higher rate than many, and a small model a higher one than a large one. One
rate for all plans makes the tiny ones look broken. `rate_test` of a run finds the best one for a
case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection

SMALL = 50_000_000
LARGE = 3_000_000_000
VECTORS, PART, FULL, LORA = "vectors", "part", "full", "lora"
FULL_SHARE = 0.5
_NANO = "a third of the best of a sweep on the nano twin (docs/attention-vs-bitfit.md)"
_TWIN = "tried on an earlier 6 M parameter twin of this project, 150 steps"
_RATES: dict[tuple[str, str], tuple[float, str]] = {
    (VECTORS, "small"): (3e-1, _NANO),
    (PART, "small"): (1e-2, _NANO),
    (FULL, "small"): (1e-3, _TWIN),
    (LORA, "small"): (1e-2, _NANO),
    (VECTORS, "middle"): (1e-3, "BitFit, arXiv 2106.10199: 1e-4 to 1e-3 for 0.1 to 0.3 B models"),
    (PART, "middle"): (5e-5, "BERT, arXiv 1810.04805, appendix A.3: 2e-5 to 5e-5; the upper end"),
    (FULL, "middle"): (1e-5, "BitFit, arXiv 2106.10199: about 1e-5 when all weights are tuned"),
    (LORA, "middle"): (2e-4, "LoRA, arXiv 2106.09685, appendix D: 2e-4 for GPT-2 medium and large"),
    (VECTORS, "large"): (5e-4, "BitFit, arXiv 2106.10199; halved as widths grow"),
    (PART, "large"): (2e-5, "LLaMA fine-tuning, Alpaca: 2e-5 at 7 B"),
    (FULL, "large"): (5e-6, "half of the rate for 0.1 to 3 B models"),
    (LORA, "large"): (2e-4, "QLoRA, arXiv 2305.14314, section 4: 2e-4 for 7 and 13 B"),
}


@dataclass(frozen=True, slots=True)
class SuggestedRate:
    """A learning rate, and where it comes from."""

    rate: float
    source: str


def suggest_learning_rate(selection: Selection, *, lora: bool = False) -> SuggestedRate:
    """The rate to begin with for this plan, or LoRA on its modules, on this model."""
    if lora:
        kind = LORA
    elif all(len(parameter.shape) < 2 for parameter in selection.parameters):
        kind = VECTORS
    elif selection.trainable_fraction > FULL_SHARE:
        kind = FULL
    else:
        kind = PART
    total = selection.total_parameters
    size = "small" if total < SMALL else "middle" if total < LARGE else "large"
    rate, source = _RATES[kind, size]
    return SuggestedRate(rate, source)
