"""What can be measured of a stored tensor, by name. Imports no torch: the page lists these."""

from __future__ import annotations

from enum import StrEnum


class Measure(StrEnum):
    """A number that a tensor's values come to; the values are what people read and choose."""

    STANDARD_DEVIATION = "standard deviation"
    MEAN = "mean"
    LARGEST_MAGNITUDE = "largest magnitude"
    SHARE_OF_ZEROS = "share of zeros"
    NOT_FINITE = "NaN or infinite"
    LARGEST_SINGULAR_VALUE = "largest singular value"
    EFFECTIVE_RANK = "effective rank"


MEASURES = tuple(measure.value for measure in Measure)
