"""Activation scores against hidden states computed the plain way in float64."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from qwen_ui.data.batches import Batch
from qwen_ui.model import Anatomy
from qwen_ui.rank.ablation import ablation_pass
from qwen_ui.rank.activations import activation_pass
from tests.helpers.rank import BLOCKS, hidden_states, make_identity, mask_of, quiet


def test_block_influence_is_one_minus_the_mean_cosine(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    sums, count = torch.zeros(BLOCKS), 0
    for batch in batches:
        states = hidden_states(model, batch)
        for row, column in mask_of(batch).nonzero().tolist():
            count += 1
            for index in range(BLOCKS):
                x, y = states[index][row, column], states[index + 1][row, column]
                sums[index] += 1 - float(x @ y / (x.norm() * y.norm()))
    found = activation_pass(model, anatomy, batches, quiet)["activation"]
    assert found.blocks == pytest.approx((sums / count).tolist(), rel=1e-5)


def test_change_and_wanda_are_those_of_hidden_states_computed_apart(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    changes, count = torch.zeros(BLOCKS), 0
    squares = torch.zeros(BLOCKS, 16, dtype=torch.float64)
    for batch in batches:
        states = hidden_states(model, batch)
        for row, column in mask_of(batch).nonzero().tolist():
            count += 1
            for index, block in enumerate(model.model.layers):
                x, y = states[index][row, column], states[index + 1][row, column]
                changes[index] += float((y - x).norm() / x.norm())
                squares[index] += block.input_layernorm(x).square().detach()
    found = activation_pass(model, anatomy, batches, quiet)
    assert found["change"].blocks == pytest.approx((changes / count).tolist(), rel=1e-5)
    wanda = found["wanda"]
    for index, block in enumerate(model.model.layers):
        weight = block.self_attn.k_proj.weight.detach().abs()
        expected = float((weight * (squares[index] / count).sqrt()).mean())
        assert wanda.cells[index, "self_attn.k_proj.weight"] == pytest.approx(expected)
    assert "self_attn.k_proj.bias" in wanda.unranked
    assert "input_layernorm.weight" in wanda.unranked


def test_a_block_that_is_the_identity_scores_nothing(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    make_identity(model, 2)
    influence = activation_pass(model, anatomy, batches, quiet)["activation"].blocks
    change = activation_pass(model, anatomy, batches, quiet)["change"].blocks
    assert change[2] == pytest.approx(0, abs=1e-12)
    assert all(change[i] > 1e-6 for i in (0, 1, 3))
    rises = ablation_pass(model, anatomy, batches, quiet)["ablation"].blocks
    assert influence[2] == pytest.approx(0, abs=1e-12)
    assert rises[2] == pytest.approx(0, abs=1e-6)
    assert all(influence[i] > 1e-6 for i in (0, 1, 3))
    assert all(abs(rises[i]) > 1e-6 for i in (0, 1, 3))
