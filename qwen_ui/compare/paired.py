"""The difference between two plans, taken seed by seed.

Runs of one seed see the same data in the same order, so most of what a seed changes is common to
both plans and cancels in their difference. The spread of each plan by itself says nothing of that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from qwen_ui.compare.rows import Row, comparable

# Student's t, 97.5 %, for 1 to 30 degrees of freedom: NIST/SEMATECH e-Handbook of Statistical
# Methods, section 1.3.6.7.2.
_T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """By how much one plan ends lower than another, over the seeds that both completed.

    Attributes:
        lower, higher: the plans, the one with the lower mean loss first.
        seeds: the shared seeds.
        differences: `higher` minus `lower` on each of them, in nats per token.
    """

    lower: Row
    higher: Row
    seeds: tuple[int, ...]
    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.differences)

    @property
    def half_width(self) -> float:
        """Half of the 95 % confidence interval of the mean; infinite for fewer than two seeds."""
        count = len(self.differences)
        if count < 2:
            return math.inf
        quantile = _T_975[min(count - 1, len(_T_975)) - 1]
        return quantile * stdev(self.differences) / math.sqrt(count)

    @property
    def decided(self) -> bool:
        """Whether the difference is significant: the interval does not include zero."""
        return self.mean > self.half_width

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
    return PairedDifference(first, second, seeds, differences)
