"""The paired difference of two plans: its interval holds what it says, over seeds and samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qwen_ui.compare import Row, verdict_sentence
from qwen_ui.compare import paired as paired_module
from qwen_ui.compare.paired import PairedDifference, paired_difference
from qwen_ui.runs import HeldOut
from tests.compare.test_verdict import row

EXPERIMENTS = 1000


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_over_seeds_covers_the_truth(seeds: int) -> None:
    """1,000 simulated experiments: a common part a seed brings, a difference of 0.1, and noise."""
    generator = np.random.default_rng(seeds)
    covered = decided_wrongly = 0
    for _ in range(EXPERIMENTS):
        common = generator.normal(3.0, 0.6, seeds)
        first = common + generator.normal(0, 0.05, seeds)
        second = common + 0.1 + generator.normal(0, 0.05, seeds)
        found = paired_difference(
            [row("first", dict(enumerate(first))), row("second", dict(enumerate(second)))]
        )
        assert found is not None
        truth = 0.1 if found.lower.plan == "first" else -0.1
        covered += abs(found.mean - truth) <= found.half_width
        decided_wrongly += found.decided and found.lower.plan == "second"
    assert 0.93 <= covered / EXPERIMENTS <= 0.97
    assert decided_wrongly / EXPERIMENTS <= 0.025


def with_samples(
    monkeypatch: pytest.MonkeyPatch, after: dict[str, HeldOut], rows: list[Row]
) -> PairedDifference:
    paired_module._bootstrapped.cache_clear()
    monkeypatch.setattr(paired_module, "held_out_of", after.__getitem__)
    found = paired_difference(rows)
    assert found is not None
    return found


def test_samples_that_could_reverse_it_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        replace(row("first", {0: 2.0, 1: 2.0}), run_of={0: "f0", 1: "f1"}),
        replace(row("second", {0: 2.1, 1: 2.1001}), run_of={0: "s0", 1: "s1"}),
    ]
    tokens = (10, 10, 10)
    low = HeldOut(tokens, (30.0,) * 3, (20.0, 20.0, 20.0))
    for high, decided in (((21.0, 21.0, 21.0), True), ((32.0, 15.0, 16.0), False)):
        second = HeldOut(tokens, (30.0,) * 3, high)
        found = with_samples(monkeypatch, {"f0": low, "f1": low, "s0": second, "s1": second}, rows)
        assert found.samples == 3
        assert found.decided == decided
        said = verdict_sentence(rows)
        assert "Over the 3 held-out samples" in said
        assert ("could reverse it" in said) != decided


def test_one_sample_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        replace(row("first", {0: 2.0, 1: 2.0}), run_of={0: "f0", 1: "f1"}),
        replace(row("second", {0: 2.1, 1: 2.1001}), run_of={0: "s0", 1: "s1"}),
    ]
    one = HeldOut((10,), (30.0,), (20.0,))
    found = with_samples(monkeypatch, dict.fromkeys(("f0", "f1", "s0", "s1"), one), rows)
    assert not found.decided
    assert "One held-out sample says nothing of others" in verdict_sentence(rows)
