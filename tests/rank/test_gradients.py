"""Gradient scores against whole backward passes in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from transformers import PreTrainedModel

from qwen_ui.data.batches import Batch
from qwen_ui.model import Anatomy
from qwen_ui.rank.gradients import fisher_pass, gradient_pass, sequences_of
from tests.helpers.rank import mask_of, plain_loss, quiet


def test_gradient_scores_are_those_of_a_whole_backward_pass(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    squares: dict[tuple[int, str], float] = {}
    for batch in batches:
        model.requires_grad_(True)
        model.zero_grad()
        plain_loss(model, batch).backward()
        for name, parameter in model.named_parameters():
            known = anatomy.by_name[name]
            if known.block is not None:
                cell = (known.block, known.kind)
                assert parameter.grad is not None
                squares[cell] = squares.get(cell, 0.0) + float(parameter.grad.square().sum())
    model.zero_grad()
    found = gradient_pass(model, anatomy, batches, quiet)["gradient"]
    assert found.cells.keys() == squares.keys()
    for cell, total in squares.items():
        assert found.cells[cell] == pytest.approx(math.sqrt(total / 2), rel=1e-5, abs=1e-12)
    for index, score in enumerate(found.blocks):
        total = sum(value for (block, _), value in squares.items() if block == index)
        assert score == pytest.approx(math.sqrt(total / 2), rel=1e-5)
    assert all(p.grad is None for p in model.parameters())


def test_relative_scores_are_per_norm_of_the_tensor(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    found = gradient_pass(model, anatomy, batches, quiet)
    plain, relative = found["gradient"], found["relative-gradient"]
    ratios = []
    for name, parameter in model.model.layers[2].named_parameters():
        if norm := float(parameter.norm()):
            ratios.append(plain.cells[2, name] / norm)
            assert relative.cells[2, name] == pytest.approx(ratios[-1])
    assert relative.blocks[2] == pytest.approx(sum(ratios) / len(ratios))
    # Qwen's biases begin at zero: there is no ratio to their size.
    assert set(relative.unranked) == {f"self_attn.{p}_proj.bias" for p in "qkv"}


def test_fisher_scores_are_those_of_a_whole_backward_pass_of_every_sequence(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    trace: dict[tuple[int, str], float] = {}
    weighed: dict[tuple[int, str], float] = {}
    singles = [
        (batch.tokens_BT[row][mask_of(batch)[row] > 0], row) for batch in batches for row in (0, 1)
    ]
    assert len({len(tokens) for tokens, _ in singles}) > 1
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.q_proj.bias.normal_()
    for tokens, _ in singles:
        model.requires_grad_(True)
        model.zero_grad()
        logits = model(input_ids=tokens[None]).logits[0, :-1]
        F.cross_entropy(logits, tokens[1:]).backward()
        for name, parameter in model.named_parameters():
            known = anatomy.by_name[name]
            if known.block is not None:
                cell = (known.block, known.kind)
                assert parameter.grad is not None
                square = parameter.grad.square()
                trace[cell] = trace.get(cell, 0.0) + float(square.sum()) / 4
                part = float((square * parameter.detach().square()).sum()) / 4
                weighed[cell] = weighed.get(cell, 0.0) + part
    model.zero_grad()
    found = fisher_pass(model, anatomy, batches, quiet)
    for name, slow in (("fisher", trace), ("relative-fisher", weighed)):
        assert found[name].cells == pytest.approx(slow, rel=1e-5, abs=1e-15)
        for index, score in enumerate(found[name].blocks):
            total = sum(value for (block, _), value in slow.items() if block == index)
            assert score == pytest.approx(total, rel=1e-5)
    assert all(p.grad is None for p in model.parameters())


def test_gradients_are_held_one_tensor_at_a_time(
    model: PreTrainedModel, anatomy: Anatomy, batches: list[Batch]
) -> None:
    held: list[int] = []
    handles = []

    def count_gradients(_: torch.Tensor) -> None:
        held.append(sum(p.grad is not None for p in model.parameters()))

    for parameter in model.model.layers.parameters():
        handles.append(parameter.register_post_accumulate_grad_hook(count_gradients))
    gradient_pass(model, anatomy, batches, quiet)["gradient"]
    assert len(held) == 2 * len(list(model.model.layers.parameters()))
    assert max(held) <= 1


def test_a_batch_falls_apart_into_its_sequences(batches: list[Batch]) -> None:
    singles = list(sequences_of(batches[0]))
    assert [single.indexes for single in singles] == [(0,), (1,)]
    assert [single.token_count for single in singles] == [9, 6]
    targets = torch.cat([single.targets for single in singles])
    assert torch.equal(targets, batches[0].targets)
    for single in singles:
        assert torch.equal(single.tokens_BT[0][single.rows + 1], single.targets)
