"""The difference between two plans, taken seed by seed and held-out sample by held-out sample.

Runs of one seed see the same data in the same order, so most of what a seed changes is common to
both plans and cancels in their difference. The spread of each plan by itself says nothing of that.
The same holds for the held-out samples, which are the same for all runs: a sample that is hard is
hard for both plans. Two things are asked, and a difference counts where both say yes: would other
seeds show it (paired t), and would other samples (bootstrap over samples)?
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

from qwen_ui.compare.rows import Row, comparable, keeps
from qwen_ui.compare.run_results import held_out_of, kept_text_of
from qwen_ui.runs import HeldOut, KeptText, bootstrap_interval

# Student's t, 97.5 %, for 1 to 30 degrees of freedom: NIST/SEMATECH e-Handbook of Statistical
# Methods, section 1.3.6.7.2.
_T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


class _OverSeeds:
    """What differences on several seeds come to."""

    __slots__ = ()
    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.differences)

    @property
    def half_width(self) -> float:
        """Half of the 95 % confidence interval of the mean; infinite for fewer than two seeds."""
        return half_width(self.differences)


@dataclass(frozen=True, slots=True)
class ForgettingDifference(_OverSeeds):
    """By how much more one plan forgets than another, over the seeds that both completed.

    Attributes:
        differences: on each seed, in nats per token of the text to keep; negative for less.
        samples: how many samples of that text both were measured on; 0 where the runs do not say.
        over_samples: 95 % bootstrap interval of the mean over them; None where they do not say.
    """

    differences: tuple[float, ...]
    samples: int = 0
    over_samples: tuple[float, float] | None = None

    @property
    def decided(self) -> bool:
        """Whether neither interval includes zero; of one seed, nothing is decided."""
        low, high = self.over_samples or (self.mean, self.mean)
        return abs(self.mean) > self.half_width and low * high > 0


@dataclass(frozen=True, slots=True)
class PairedDifference(_OverSeeds):
    """By how much one plan ends lower than another, over the seeds that both completed.

    Attributes:
        lower, higher: the plans, the one with the lower mean loss first.
        seeds: the shared seeds.
        differences: `higher` minus `lower` on each of them, in nats per token.
        samples: how many held-out samples both were measured on; 0 where the runs do not say.
        over_samples: 95 % bootstrap interval of the mean difference over those samples; None where
            the runs do not say.
        forgetting: by how much more `lower` forgets; None where not both have one text to keep.
    """

    lower: Row
    higher: Row
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    samples: int = 0
    over_samples: tuple[float, float] | None = None
    forgetting: ForgettingDifference | None = None

    @property
    def decided(self) -> bool:
        """Whether neither interval includes zero; of one seed, nothing is decided."""
        samples_say_so = self.over_samples is None or self.over_samples[0] > 0
        return self.mean > self.half_width and samples_say_so

    @property
    def agree(self) -> bool:
        """Whether the same plan ends lower on every seed."""
        return min(self.differences) > 0


def paired_difference(rows: Sequence[Row]) -> PairedDifference | None:
    """The two plans that end lowest; None where fewer than two share a completed seed, or where
    the runs are not judged by the same samples.

    Plans are ordered by their means over the seeds that all of them completed, because a plan that
    lacks the hardest seed would look better than it is.
    """
    common = set.intersection(*(set(row.losses) for row in rows)) if rows else set()
    if len(rows) < 2 or not common or not comparable(rows):
        return None
    first, second = sorted(rows, key=lambda row: fmean(row.losses[seed] for seed in common))[:2]
    seeds = tuple(sorted(set(first.losses) & set(second.losses)))
    differences = tuple(second.losses[seed] - first.losses[seed] for seed in seeds)
    runs = _runs_of(first, second, seeds)
    samples, interval = _bootstrapped(runs) if runs else (0, None)
    return PairedDifference(
        first, second, seeds, differences, samples, interval, _forgetting(first, second, seeds)
    )


def half_width(differences: Sequence[float]) -> float:
    """Half of the 95 % confidence interval of their mean; infinite for fewer than two."""
    count = len(differences)
    if count < 2:
        return math.inf
    return t_quantile(count - 1) * stdev(differences) / math.sqrt(count)


def t_quantile(degrees: int) -> float:
    """Student's t at 97.5 %: standard errors to each side that hold 95 %. From 30 degrees on, 30's.

    Args:
        degrees: of freedom, one at least.
    """
    return _T_975[min(degrees, len(_T_975)) - 1]


def _forgetting(lower: Row, higher: Row, seeds: tuple[int, ...]) -> ForgettingDifference | None:
    if not keeps((lower, higher)):
        return None
    differences = tuple(lower.forgets[seed] - higher.forgets[seed] for seed in seeds)
    runs = _runs_of(lower, higher, seeds)
    # Of two differences that start from one base, what is after is what differs.
    samples, interval = _bootstrapped(runs, of=kept_text_of) if runs else (0, None)
    if interval is not None:
        interval = (-interval[1], -interval[0])
    return ForgettingDifference(differences, samples, interval)


def _runs_of(lower: Row, higher: Row, seeds: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """The runs of each seed; () where one is not known."""
    runs = [(lower.run_of.get(seed), higher.run_of.get(seed)) for seed in seeds]
    if any(low is None or high is None for low, high in runs):
        return ()
    return tuple((str(low), str(high)) for low, high in runs)


def _bootstrapped(
    runs: tuple[tuple[str, str], ...],
    of: Callable[[str], HeldOut | KeptText | None] | None = None,
) -> tuple[int, tuple[float, float] | None]:
    """How many samples, and the interval over them of the mean by which `higher` ends above."""
    read = of or held_out_of
    pairs = tuple((read(low), read(high)) for low, high in runs)
    return _interval(pairs)


@lru_cache(maxsize=64)
def _interval(
    pairs: tuple[tuple[HeldOut | KeptText | None, HeldOut | KeptText | None], ...],
) -> tuple[int, tuple[float, float] | None]:
    tokens = {half.tokens if half else None for pair in pairs for half in pair}
    if None in tokens or len(tokens) != 1:
        return 0, None
    (counts,) = (one for one in tokens if one is not None)
    if len(counts) < 2:
        return len(counts), (-math.inf, math.inf)
    differences = [
        fmean(high.after[i] - low.after[i] for low, high in pairs if low and high)
        for i in range(len(counts))
    ]
    return len(counts), bootstrap_interval(differences, counts)
