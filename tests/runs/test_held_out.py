"""What held-out samples can tell apart: errors and intervals on data whose truth is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from qwen_ui.runs.held_out import (
    HeldOut,
    bootstrap_interval,
    gain_note,
    read_held_out,
    standard_error,
    write_held_out,
)

EXPERIMENTS = 1000


def drawn(generator: np.random.Generator, count: int) -> tuple[list[float], list[int]]:
    """Sums and tokens of samples whose true mean is 2 nats per token, samples differing by 0.5."""
    tokens = generator.integers(5, 60, count)
    sums = tokens * generator.normal(2.0, 0.5, count)
    return sums.tolist(), tokens.tolist()


def test_the_standard_error_is_the_spread_over_repeated_experiments() -> None:
    generator = np.random.default_rng(0)
    found = [drawn(generator, 60) for _ in range(EXPERIMENTS)]
    spread = float(np.std([sum(sums) / sum(tokens) for sums, tokens in found]))
    said = float(np.mean([standard_error(*one) for one in found]))
    assert said == pytest.approx(spread, rel=0.08)


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        low, high = bootstrap_interval(*drawn(generator, 60))
        covered += low <= 2.0 <= high
    # 95 % is claimed; with 60 samples a percentile interval is known to fall a little short.
    assert 0.90 <= covered / 300 <= 0.985


def test_an_interval_is_the_same_whenever_it_is_asked_for() -> None:
    sums, tokens = drawn(np.random.default_rng(2), 20)
    assert bootstrap_interval(sums, tokens) == bootstrap_interval(sums, tokens)
    low, high = bootstrap_interval(sums, tokens)
    assert low < sum(sums) / sum(tokens) < high


def test_one_sample_is_no_measurement() -> None:
    held_out = HeldOut((10,), (20.0,), (10.0,))
    assert math.isinf(held_out.gain_error)
    assert "not a measurement" in gain_note(held_out, 1e-3)


def test_a_gain_within_its_noise_asks_for_another_rate() -> None:
    noisy = HeldOut((10, 10, 10), (20.0, 25.0, 30.0), (15.0, 29.0, 30.5))
    assert noisy.gain == pytest.approx(0.5 / 30)
    said = gain_note(noisy, 1e-5)
    assert "3 held-out samples" in said
    assert "the learning rate 1e-5 is likely too low" in said
    clear = HeldOut((10, 10, 10), (20.0, 25.0, 30.0), (10.0, 15.5, 19.5))
    assert gain_note(clear, 1e-5) == ""


def test_the_file_is_read_as_it_was_written_and_nothing_else_is(tmp_path: Path) -> None:
    held_out = HeldOut((1, 2), (1.5, 2.5), (0.5, 0.25))
    assert read_held_out(tmp_path) is None
    write_held_out(tmp_path, held_out)
    assert read_held_out(tmp_path) == held_out
    for wrong in ('{"tokens": [1], "before": [1], "after": []}', '{"tokens": "x"}', "[]", "{"):
        (tmp_path / "held_out.json").write_text(wrong)
        assert read_held_out(tmp_path) is None
