from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.engine import chunked_loss as module
from qwen_ui.engine.chunked_loss import head_loss


def plain(hidden: torch.Tensor, head: nn.Linear, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(head(hidden).float(), targets, reduction="sum")


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chunk", [4, 512])
@pytest.mark.parametrize("on_gpu", [False, True])
def test_loss_and_gradients_equal_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch, trains: bool, bias: bool, chunk: int, on_gpu: bool
) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
    monkeypatch.setattr(module, "MULTIPLE", chunk)
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    torch.manual_seed(0)
    head = nn.Linear(16, 50, bias=bias).requires_grad_(trains)
    targets = torch.randint(0, 50, (11,))
    wanted = [p for p in head.parameters() if p.requires_grad]
    hidden = torch.randn(11, 16, requires_grad=True)
    ours = head_loss(hidden, head, targets, on_gpu=on_gpu)
    theirs = plain(hidden, head, targets)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    for a, b in zip(
        torch.autograd.grad(ours * 0.3, [hidden, *wanted]),
        torch.autograd.grad(theirs * 0.3, [hidden, *wanted]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("converted", [1, 200, 2**22])
@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("on_gpu", [False, True])
def test_bfloat16_is_as_close_as_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, converted: int, trains: bool, on_gpu: bool
) -> None:
    monkeypatch.setattr(module, "CONVERTED", converted)
    torch.manual_seed(0)
    head = nn.Linear(32, 64, bias=trains, dtype=torch.bfloat16).requires_grad_(trains)
    hidden = torch.randn(9, 32, dtype=torch.bfloat16, requires_grad=True)
    targets = torch.randint(0, 64, (9,))
    ours = head_loss(hidden, head, targets, on_gpu=on_gpu)
    theirs = plain(hidden, head, targets)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    wanted = [hidden, *(p for p in head.parameters() if p.requires_grad)]
    pairs = zip(torch.autograd.grad(ours, wanted), torch.autograd.grad(theirs, wanted), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=3e-2, atol=3e-3)


@pytest.mark.parametrize("gap", [60.0, 72.0, 90.0, 500.0])
@pytest.mark.parametrize("on_gpu", [False, True])
def test_a_target_beyond_the_reach_of_float32_has_its_exact_loss(gap: float, on_gpu: bool) -> None:
    """exp(-72) is still a float32 but few of its digits are sure; exp(-500) is 0."""
    head = nn.Linear(1, 3, bias=False).requires_grad_(False)
    head.weight[:] = torch.tensor([[0.0], [-gap], [-1.0]])
    hidden = torch.ones(2, 1, requires_grad=True)
    targets = torch.tensor([1, 0])
    ours = head_loss(hidden, head, targets, on_gpu=on_gpu)
    theirs = plain(hidden, head, targets)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    (a,), (b,) = torch.autograd.grad(ours, hidden), torch.autograd.grad(theirs, hidden)
    torch.testing.assert_close(a, b, rtol=1e-6, atol=0)


def test_no_gradient_costs_no_gradient() -> None:
    head = nn.Linear(8, 20)
    with torch.no_grad():
        loss = head_loss(torch.randn(3, 8), head, torch.tensor([1, 2, 3]))
    assert not loss.requires_grad


@pytest.mark.parametrize("bias", [False, True])
def test_under_autocast_it_is_the_plain_way_under_autocast(bias: bool) -> None:
    torch.manual_seed(0)
    head = nn.Linear(32, 64, bias=bias)
    hidden, targets = torch.randn(9, 32, requires_grad=True), torch.randint(0, 64, (9,))
    with torch.autocast("cpu", torch.bfloat16):
        ours = head_loss(hidden, head, targets)
    with torch.autocast("cpu", torch.bfloat16):
        theirs = plain(hidden, head, targets)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    wanted = [hidden, *head.parameters()]
    pairs = zip(torch.autograd.grad(ours, wanted), torch.autograd.grad(theirs, wanted), strict=True)
    for a, b in pairs:
        assert a.dtype == b.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=3e-2, atol=3e-3)


@pytest.mark.parametrize("bias", [False, True])
def test_a_row_that_only_fills_up_changes_nothing(bias: bool) -> None:
    torch.manual_seed(0)
    head = nn.Linear(16, 50, bias=bias)
    hidden = torch.randn(7, 16, requires_grad=True)
    targets = torch.randint(0, 50, (7,))
    filled = torch.cat([hidden, torch.zeros(3, 16)])
    ignored = torch.cat([targets, torch.full((3,), -100)])
    wanted = [hidden, *head.parameters()]
    with_rows = head_loss(filled, head, ignored, on_gpu=True)
    without = head_loss(hidden, head, targets, on_gpu=True)
    torch.testing.assert_close(with_rows, without, rtol=1e-6, atol=0)
    pairs = zip(
        torch.autograd.grad(with_rows, wanted), torch.autograd.grad(without, wanted), strict=True
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
