"""Losses of the single held-out samples, and what they can tell apart.

A mean over few samples is uncertain however many tokens they hold, because the tokens of a sample
are alike: errors are over samples, of ratios of sums (Cochran, Sampling Techniques, 3rd edition,
section 6.4). Errors over tokens are up to 2.2 times too small. Shapes: S samples (sequences, where
samples are packed or a document is cut).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qwen_ui.files import read_json, write_json
from qwen_ui.formats import rate_text, signed
from qwen_ui.runs.fields import Checks, is_count, is_number, list_of

HELD_OUT_NAME = "held_out.json"
NORMAL_975 = 1.96  # standard errors to each side of a mean that hold 95 % of a normal distribution
RESAMPLES = 2000
HELD_OUT_FIELDS: Checks = {
    "tokens": list_of(is_count),
    "before": list_of(is_number),
    "after": list_of(is_number),
}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What an evaluation measured of each held-out sample, before training and after.

    Attributes:
        tokens: tokens of each sample that carry loss (S).
        before, after: sum of each sample's losses (nats, S).
    """

    tokens: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Nats per token by which the mean loss fell."""
        return (sum(self.before) - sum(self.after)) / sum(self.tokens)

    @property
    def gain_error(self) -> float:
        """Standard error of the gain, each sample compared with itself; infinite for one sample."""
        gained = [b - a for b, a in zip(self.before, self.after, strict=True)]
        return standard_error(gained, self.tokens)


def standard_error(sums: Sequence[float], tokens: Sequence[int]) -> float:
    """Standard error of `sum(sums) / sum(tokens)` over samples; infinite for one sample."""
    count, total = len(sums), sum(tokens)
    if count < 2:
        return math.inf
    ratio = sum(sums) / total
    squares = sum((s - ratio * n) ** 2 for s, n in zip(sums, tokens, strict=True))
    return math.sqrt(count / (count - 1) * squares) / total


def bootstrap_interval(
    differences: Sequence[float], tokens: Sequence[int], seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of `sum(differences) / sum(tokens)`, samples drawn with replacement.

    Args:
        differences: sums of nats of each sample (S).
        seed: of the draws: the same samples always have the same interval.
    """
    import numpy as np  # noqa: PLC0415  0.1 s at the start of every command, for few of them

    over, under = np.asarray(differences), np.asarray(tokens, dtype=float)
    generator = np.random.default_rng(seed)
    # How often each sample is drawn; (RESAMPLES, S).
    drawn = generator.multinomial(len(over), np.full(len(over), 1 / len(over)), size=RESAMPLES)
    low, high = np.quantile((drawn @ over) / (drawn @ under), [0.025, 0.975])
    return float(low), float(high)


def write_held_out(folder: Path, held_out: HeldOut) -> None:
    """Leave them in a run's folder."""
    write_json(folder / HELD_OUT_NAME, asdict(held_out))


def read_held_out(folder: Path) -> HeldOut | None:
    """Those that a run left; None where it left none, or something else."""
    return held_out_of_record(read_json(folder / HELD_OUT_NAME))


def held_out_of_record(record: Mapping[str, Any]) -> HeldOut | None:
    """Those of a file's record; None where it holds something else."""
    for name, check in HELD_OUT_FIELDS.items():
        if not check(record.get(name)):
            return None
    tokens, before, after = (tuple(record[name]) for name in HELD_OUT_FIELDS)
    if not sum(tokens) or not len(tokens) == len(before) == len(after):
        return None
    return HeldOut(tokens, before, after)


def tells_apart(gain: float, error: float) -> bool:
    """Whether samples with this standard error can tell this gain from nothing."""
    return abs(gain) > NORMAL_975 * error


def gain_note(held_out: HeldOut, learning_rate: float) -> str:
    """What the held-out samples cannot tell, as a sentence; "" where they show a gain."""
    count, gain = len(held_out.tokens), held_out.gain
    told = NORMAL_975 * held_out.gain_error
    if math.isinf(told):
        return (
            "One held-out sample is not a measurement: it says nothing of how another would come "
            "out. Hold out more."
        )
    if tells_apart(gain, held_out.gain_error):
        return ""
    return (
        f"The evaluation loss moved by {signed(-gain)} nats per token, and the {count:,} held-out "
        f"samples tell differences above {told:.3f} from chance. If the training loss hardly fell "
        f"either, the learning rate {rate_text(learning_rate)} is likely too low for so many "
        "steps: find one (--learning-rate-finder). Else hold out more samples."
    )
