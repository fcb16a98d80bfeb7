"""How many dimensions a change has, and which of a matrix's directions are new.

The effective rank is exp of the entropy of the normalised singular values (Roy and Vetterli,
EUSIPCO 2007), as elsewhere here. The singular values of a change D are the roots of the eigenvalues
of D'D, which is added up piece by piece; D is never held. Where both sides of D are larger than
`EXACT_SIDE`, its rows are first projected at random on `SKETCH` dimensions, which keeps the
singular values of anything that is of a much lower rank (Halko, Martinsson and Tropp, SIAM Review
2011) and can only lower the rank of what is not: the figure is then a lower bound. So are those of
a D with few rows that are too long to be held (`HELD`).
"""

from __future__ import annotations

import torch

EXACT_SIDE, SKETCH = 1024, 512
HELD = 24 * 1024**2  # elements in float64 of a change with fewer rows than columns
# Below it, against the largest, a singular value is the rounding of the sums.
_FLOOR = 1e-7
INTRUDER_SIDE = 4096
INTRUDER_ELEMENTS = 80 * 1024**2
TOP, LIKE = 10, 0.5


class RankOfChange:
    """Adds up a change (rows, columns) that comes in pieces of rows.

    Args:
        rows, columns: of the whole.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._by_rows = rows < columns and rows <= EXACT_SIDE and rows * columns <= HELD
        self.exact = self._by_rows or columns <= EXACT_SIDE
        self._held: list[torch.Tensor] = []
        self._project: torch.Tensor | None = None
        if not self.exact:
            drawn = torch.Generator().manual_seed(columns)
            self._project = torch.randn(columns, SKETCH, generator=drawn) / SKETCH**0.5
        side = rows if self._by_rows else columns if self.exact else SKETCH
        self._gram = torch.zeros(side, side, dtype=torch.float64)

    def add(self, change: torch.Tensor) -> None:
        """The next rows, in float64."""
        if self._by_rows:
            self._held.append(change.clone())
            return
        scaled = change
        if self._project is not None:
            scaled = (change.float() @ self._project).double()
        self._gram += scaled.T @ scaled

    def result(self) -> float:
        """The effective rank; 0 where nothing changed."""
        if self._by_rows:
            whole = torch.cat(self._held)
            self._gram = whole @ whole.T
        values = torch.linalg.eigvalsh(self._gram).clamp_min(0).sqrt()
        return effective_rank(values)


def effective_rank(singular: torch.Tensor) -> float:
    """exp of the entropy of the normalised singular values; 0 where all are 0."""
    largest = float(singular.max()) if singular.numel() else 0.0
    if not largest > 0:
        return 0.0
    kept = singular[singular > _FLOOR * largest].double()
    shares = kept / kept.sum()
    return float((-(shares * shares.log()).sum()).exp())


def intruders(base: torch.Tensor, tuned: torch.Tensor) -> int | None:
    """Intruder dimensions: of the tuned matrix's `TOP` left singular vectors, how many have a
    cosine below `LIKE` with every one of the base's (arXiv 2410.21228, algorithm 1).

    None for what is no matrix, is larger than `INTRUDER_SIDE` on its smaller side, or has more than
    `INTRUDER_ELEMENTS`.
    """
    large = base.numel() > INTRUDER_ELEMENTS
    if base.dim() != 2 or min(base.shape) > INTRUDER_SIDE or large:
        return None
    wide = (base.float(), tuned.float())
    if not all(bool(matrix.isfinite().all()) for matrix in wide):
        return None
    before, after = (torch.linalg.svd(matrix, full_matrices=False)[0] for matrix in wide)
    cosines = (before.T @ after[:, :TOP]).abs()
    return int((cosines.amax(dim=0) < LIKE).sum())
