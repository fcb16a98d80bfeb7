"""How much of a finished run is applied: W0 + s (W - W0), for one tensor.

The line through the base and the tuned weights (arXiv 2109.01903, section 3). At s = 0 it is the
base and at s = 1 what training left, to the last bit: neither end goes through the subtraction.
"""

from __future__ import annotations

import torch


def blended(base: torch.Tensor, tuned: torch.Tensor, strength: float) -> torch.Tensor:
    """A tensor on the line through `base` and `tuned`, at this strength.

    Args:
        base: W0, of any shape, in a floating dtype.
        tuned: W, of the same shape, in a floating dtype.
        strength: s; 0 is the base, 1 what training left, beyond 1 further than training went.

    Returns:
        float32, or the wider of both dtypes. Both ends keep their values, so that rounding them to
        the dtype that they came from gives them back bitwise.
    """
    wide = torch.promote_types(torch.promote_types(base.dtype, tuned.dtype), torch.float32)
    if strength == 0:
        return base.to(wide)
    if strength == 1:
        return tuned.to(wide)
    return base.to(wide) + strength * (tuned.to(wide) - base.to(wide))
