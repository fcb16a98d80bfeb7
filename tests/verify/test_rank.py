"""The effective rank of a change: exact where it can be, else a lower bound."""

from __future__ import annotations

import pytest
import torch

from qwen_ui.verify import rank
from qwen_ui.verify.rank import RankOfChange, effective_rank, intruders


def of_pieces(change: torch.Tensor, step: int) -> tuple[float, bool]:
    found = RankOfChange(*change.shape)
    for first in range(0, len(change), step):
        found.add(change[first : first + step])
    return found.result(), found.exact


def low_rank(rows: int, columns: int, directions: int) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(0)
    left = torch.randn(rows, directions, generator=drawn, dtype=torch.float64)
    return left @ torch.randn(directions, columns, generator=drawn, dtype=torch.float64)


@pytest.mark.parametrize(("rows", "columns"), [(40, 90), (90, 40), (64, 64)])
def test_a_small_one_is_exact(rows: int, columns: int) -> None:
    change = low_rank(rows, columns, 7)
    found, exact = of_pieces(change, 13)
    assert exact
    assert found == pytest.approx(effective_rank(torch.linalg.svdvals(change)), rel=1e-4)


def test_a_long_one_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows, each too long: a projection, which keeps a low rank within a few per cent."""
    monkeypatch.setattr(rank, "HELD", 40 * 2000 - 1)
    change = low_rank(40, 2000, 5)
    found, exact = of_pieces(change, 8)
    assert not exact
    assert found == pytest.approx(effective_rank(torch.linalg.svdvals(change)), rel=0.05)


def test_intruders_of_what_is_too_large_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    base = torch.eye(30)
    tuned = base.clone()
    tuned[0] = 5 * torch.ones(30) / 30**0.5
    assert intruders(base, base) == 0
    assert intruders(base, tuned) is not None
    monkeypatch.setattr(rank, "INTRUDER_ELEMENTS", 899)
    assert intruders(base, tuned) is None
