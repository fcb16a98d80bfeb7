"""What is lost where trained values are written in a narrower dtype."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass
class Rounding:
    """What is lost where the base's dtype is narrower than the one that was trained."""

    lost: float = 0.0
    changed: float = 0.0

    def add(self, before: torch.Tensor, trained: torch.Tensor, written: torch.Tensor) -> None:
        """Count one tensor."""
        exact = trained.float()
        self.lost += float((written.float() - exact).square().sum())
        self.changed += float((exact - before.float()).square().sum())

    @property
    def share(self) -> float:
        """Norm of what rounding changed over the norm of what training changed; 0 for nothing."""
        return math.sqrt(self.lost / self.changed) if self.changed else 0.0
