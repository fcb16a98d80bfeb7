"""How far two halves of the same text are apart for one and the same model: the noise floor.

The base is evaluated on a random half of the samples and on the rest; their mean losses differ by
chance alone. The noise floor is the root mean square of that difference over `HALVINGS` random
halvings: its standard deviation, since the difference is as often positive as negative.

    d_r = sum_A l / sum_A n - sum_B l / sum_B n,    floor = sqrt(mean_r d_r^2)

Here l are the sums of the samples' losses (nats) and n their tokens. It is about twice the standard
error of the loss over all samples. A change below it is smaller than what another choice of text
would have changed; the standard error of a gain, each sample compared with itself, is far smaller.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

HALVINGS = 200
SEED = 0


def noise_floor(sums: Sequence[float], tokens: Sequence[int]) -> float | None:
    """The noise floor of these samples (nats per token); None where no half has tokens.

    Args:
        sums: of each sample's losses under the base (nats, S).
        tokens: of each sample that carry loss (S).
    """
    count = len(sums)
    # `random()` alone is promised to give the same numbers in every version of Python.
    draws = random.Random(SEED)
    squares = []
    for _ in range(HALVINGS):
        order = sorted(range(count), key=[draws.random() for _ in range(count)].__getitem__)
        first, second = order[: count // 2], order[count // 2 :]
        sizes = [sum(tokens[i] for i in half) for half in (first, second)]
        if all(sizes):
            means = [
                math.fsum(sums[i] for i in half) / size
                for half, size in zip((first, second), sizes, strict=True)
            ]
            squares.append((means[0] - means[1]) ** 2)
    return math.sqrt(math.fsum(squares) / len(squares)) if squares else None
