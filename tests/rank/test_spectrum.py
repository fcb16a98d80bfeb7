"""Signal-to-noise of spectra that are known."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import PreTrainedModel

from qwen_ui.model import Anatomy
from qwen_ui.rank.spectrum import signal_to_noise, weight_pass
from tests.helpers.rank import quiet


def test_signal_to_noise_of_a_spectrum_that_is_known() -> None:
    """Quartiles 2 and 4 apart: sigma 2/1.349, and for a square matrix the bound is twice that."""
    weight = torch.diag(torch.tensor([10.0, 4.0, 3.0, 2.0, 1.0]))
    bound = 2 * 2 / 1.349
    assert 2 < bound < 3
    assert signal_to_noise(weight) == pytest.approx((10 + 4 + 3) / (2 + 1) / 10)
    assert signal_to_noise(torch.eye(4)) == math.inf


def test_weights_are_ranked_relative_to_their_kind_and_vectors_not_at_all(
    model: PreTrainedModel, anatomy: Anatomy
) -> None:
    spike = torch.zeros_like(model.model.layers[3].mlp.up_proj.weight)
    spike[0, 0] = 10.0
    with torch.no_grad():
        model.model.layers[3].mlp.up_proj.weight.mul_(0.1).add_(spike)
    found = weight_pass(model, anatomy, [], quiet)["weight"]
    kind = "mlp.up_proj.weight"
    others = [found.cells[i, kind] for i in range(3)]
    expected = signal_to_noise(model.model.layers[3].mlp.up_proj.weight.detach())
    assert found.cells[3, kind] == pytest.approx(expected)
    assert all(found.cells[3, kind] != value for value in others)
    assert set(found.unranked) >= {"input_layernorm.weight", "self_attn.q_proj.bias"}
    assert not {kind for _, kind in found.cells} & set(found.unranked)
