"""Liger's head by a stand-in for its function: what it is given, and what comes of it."""

from __future__ import annotations

import types
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.engine import fused_loss
from qwen_ui.engine.chunked_loss import head_loss


@pytest.mark.parametrize(("rows", "chunks"), [(7, 1), (2048, 1), (8184, 3)])
def test_it_is_the_head_s_loss_in_few_chunks(
    rows: int, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def fused(
        hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, **settings: Any
    ) -> torch.Tensor:
        given.update(settings)
        logits = F.linear(hidden, weight, settings["bias"])
        return F.cross_entropy(
            logits, targets, reduction=settings["reduction"], ignore_index=settings["ignore_index"]
        )

    functional = types.SimpleNamespace(liger_fused_linear_cross_entropy=fused)
    monkeypatch.setattr("importlib.import_module", lambda name: functional)
    torch.manual_seed(0)
    head, hidden = nn.Linear(8, 200), torch.randn(rows, 8)
    targets = torch.randint(0, 200, (rows,))
    hidden[-1], targets[-1] = 0, -100  # a row that only fills up
    found = fused_loss.fused_head_loss(hidden, head, targets)
    torch.testing.assert_close(found, head_loss(hidden, head, targets, on_gpu=True))
    # Liger makes ceil(words / (width * constant)) chunks of them.
    assert -(-200 // (8 * given["chunk_mem_const"])) == chunks
