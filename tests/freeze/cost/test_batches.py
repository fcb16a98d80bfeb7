"""Prices at many batches from traces of a few: equal to those of a trace of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_ui.engine import as_worker
from qwen_ui.freeze import StepSettings, preset, resolve
from qwen_ui.freeze.cost import BatchPrices, largest_batch, price
from qwen_ui.model import Anatomy, open_model

PLAIN = StepSettings(batch_size=1, sequence_length=64)
WAYS = {
    "plain": PLAIN,
    "checkpointing": replace(PLAIN, checkpointing=True),
    "without padding": replace(PLAIN, padded=False),
    "as the worker": as_worker(PLAIN, dtype="float32", keep_prefix=True),
}


@pytest.fixture(scope="module")
def nano() -> Anatomy:
    return open_model("nano")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["attention", "full"])
def test_a_batch_that_was_not_traced_costs_what_a_trace_says(
    nano: Anatomy, way: str, name: str
) -> None:
    selection = resolve(preset(name), nano)
    prices = BatchPrices(nano, WAYS[way])
    for batch in (3, 16, 90):
        traced = price(nano, selection, replace(WAYS[way], batch_size=batch))
        found = prices.cost(selection, batch)
        assert found.peak_bytes == pytest.approx(traced.peak_bytes, rel=2e-3)
        assert found.flops_step == pytest.approx(traced.flops_step, rel=1e-3)
        assert found.activation_bytes == pytest.approx(traced.activation_bytes, rel=1e-3)
        # Between two traces the line is never below the truth, but for a byte of rounding.
        assert found.peak_bytes >= traced.peak_bytes * (1 - 1e-6)


def test_the_largest_batch_fits_and_one_more_does_not(nano: Anatomy) -> None:
    selection, settings = resolve(preset("attention"), nano), WAYS["as the worker"]
    prices = BatchPrices(nano, settings)

    def peak(batch: int) -> int:
        return price(nano, selection, replace(settings, batch_size=batch)).peak_bytes

    memory = peak(37) + 1
    assert largest_batch(prices, selection, memory) == 37
    assert largest_batch(prices, selection, peak(1) - 1) == 0
    # No batch has more tokens than a step that is priced.
    assert largest_batch(prices, selection, 1e18) == prices.most
