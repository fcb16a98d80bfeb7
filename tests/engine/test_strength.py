"""A strength between a base and what training left: both ends to the bit, the line between."""

from __future__ import annotations

import pytest
import torch

from qwen_ui.engine.strength import blended

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def pair(dtype: torch.dtype, tuned: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(64, 32, generator=generator)
    return base.to(dtype), (base + 1e-2 * torch.randn(64, 32, generator=generator)).to(tuned)


@pytest.mark.parametrize("tuned_dtype", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_are_the_base_and_the_merge_to_the_bit(
    dtype: torch.dtype, tuned_dtype: torch.dtype
) -> None:
    base, tuned = pair(dtype, tuned_dtype)
    assert torch.equal(blended(base, tuned, 0.0).to(dtype), base)
    # As `apply` has always written it.
    assert torch.equal(blended(base, tuned, 1.0).to(dtype), tuned.to(dtype))


@pytest.mark.parametrize("strength", [-0.5, 0.25, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_lies_on_the_line_through_both(dtype: torch.dtype, strength: float) -> None:
    base, tuned = pair(dtype, torch.float32)
    exact = base.double() + strength * (tuned.double() - base.double())
    found = blended(base, tuned, strength)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), exact, rtol=0, atol=1e-6)


def test_what_is_not_finite_in_one_end_does_not_reach_the_other() -> None:
    base, tuned = torch.tensor([1.0, 2.0]), torch.tensor([torch.inf, 3.0])
    assert torch.equal(blended(base, tuned, 0.0), base)
