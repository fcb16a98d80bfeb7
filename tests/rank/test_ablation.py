"""Ablation against models that are built without the block."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from qwen_ui.data.batches import Batch
from qwen_ui.model import Anatomy
from qwen_ui.rank.ablation import ablation_pass
from tests.helpers.rank import BLOCKS, plain_loss, quiet


def test_ablation_is_the_loss_of_a_model_built_without_the_block(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    def loss() -> float:
        pairs = [(float(plain_loss(model, b)), len(b.targets)) for b in batches]
        return sum(a * n for a, n in pairs) / sum(n for _, n in pairs)

    with torch.no_grad():
        found = ablation_pass(model, anatomy, batches, quiet)["ablation"]
        whole, layers = loss(), model.model.layers
        for index in range(BLOCKS):
            model.model.layers = torch.nn.ModuleList(
                layer for i, layer in enumerate(layers) if i != index
            )
            model.config.num_hidden_layers = BLOCKS - 1
            assert found.blocks[index] == pytest.approx(loss() - whole, rel=1e-4, abs=1e-6)
            model.model.layers, model.config.num_hidden_layers = layers, BLOCKS
