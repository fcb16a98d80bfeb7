"""What a comparison may say: differences are paired by seed, and one seed proves nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from qwen_ui.compare import Row, headline, verdict_sentence
from qwen_ui.compare.paired import paired_difference
from qwen_ui.compare.rows import pareto
from qwen_ui.compare.verdict import paired_record


def row(plan: str, losses: dict[int, float], trainable: int = 1000) -> Row:
    after = list(losses.values())
    spread = stdev(after) if len(after) > 1 else 0.0
    figures = (10.0, 100.0, 1, 1)
    mean = fmean(after)
    return Row(plan, len(after), trainable, 0.1, 1e-3, 6.0, mean, spread, *figures, losses=losses)


# Attention ends 0.474 nats below BitFit on one seed and 0.475 on the other, while the seeds
# themselves lie 1.2 nats apart: each plan's own spread would hide it.
ATTENTION = row("attention", {0: 2.126, 1: 3.326})
BITFIT = row("bitfit", {0: 2.600, 1: 3.801}, trainable=10)


def test_runs_judged_by_different_samples_are_not_compared() -> None:
    rows = [replace(ATTENTION, held_out=frozenset({"a", "b"})), BITFIT]
    assert headline(rows) == "These runs cannot be compared"
    assert "different held-out samples" in verdict_sentence(rows)
    assert paired_record(rows) is None


def test_a_difference_that_every_seed_shows_is_called_one() -> None:
    said = verdict_sentence([BITFIT, ATTENTION])
    assert said.startswith("attention ends at 2.726 nats per token, bitfit at 3.200")
    assert "100 times the trainable parameters" in said
    assert "Over 2 shared seeds the difference is 0.475 ± 0.006 nats" in said
    assert "No difference" not in said
    assert headline([BITFIT, ATTENTION]) == "attention beats bitfit by 0.47 nats"


def test_a_difference_that_the_seeds_do_not_tell_from_chance_is_none() -> None:
    rows = [row("attention", {0: 5.0, 1: 5.4}), row("bitfit", {0: 5.5, 1: 5.3})]
    assert verdict_sentence(rows).endswith(
        "No difference shown. Run more seeds to tell them apart."
    )
    assert headline(rows) == "No difference shown between attention and bitfit"


def test_seeds_that_agree_may_still_be_too_few() -> None:
    rows = [row("attention", {0: 5.0, 1: 5.0}), row("bitfit", {0: 5.1, 1: 5.5})]
    assert "All seeds agree, but they are too few." in verdict_sentence(rows)
    more = {seed: 5.1 if seed % 2 else 5.5 for seed in range(6)}
    rows = [row("attention", dict.fromkeys(range(6), 5.0)), row("bitfit", more)]
    assert headline(rows) == "attention beats bitfit by 0.30 nats"


def test_one_seed_proves_nothing() -> None:
    rows = [row("attention", {0: 5.0}), row("bitfit", {0: 5.5})]
    assert "this is no verdict" in verdict_sentence(rows)
    assert headline(rows) == "So far attention ends 0.50 nats lower than bitfit, on one seed"
    assert headline(rows[:1]) == ""
    assert "Nothing to compare" in verdict_sentence(rows[:1])
    record = paired_record(rows)
    assert record is not None
    assert (record["half_width"], record["decided"]) == (None, False)


def test_only_seeds_that_both_plans_completed_count() -> None:
    """An easy seed that BitFit alone completed must not make BitFit the better plan."""
    easy = row("bitfit", {0: 2.600, 1: 3.801, 2: 0.1})
    found = paired_difference([ATTENTION, easy])
    assert found is not None
    assert (found.lower.plan, found.seeds) == ("attention", (0, 1))
    assert verdict_sentence([ATTENTION, easy]) == verdict_sentence(
        [ATTENTION, row("bitfit", {0: 2.600, 1: 3.801})]
    )


def test_plans_without_a_common_seed_are_not_compared() -> None:
    rows = [row("attention", {0: 5.0}), row("bitfit", {1: 5.5})]
    assert "no completed seed in common" in verdict_sentence(rows)
    assert (headline(rows), paired_record(rows)) == ("", None)


@pytest.mark.parametrize(("count", "quantile"), [(2, 12.706), (3, 4.303), (31, 2.042), (40, 2.042)])
def test_the_interval_is_students(count: int, quantile: float) -> None:
    losses = {seed: float(seed % 2) for seed in range(count)}
    found = paired_difference([row("a", dict.fromkeys(losses, 0.0)), row("b", losses)])
    assert found is not None
    expected = quantile * stdev(losses.values()) / math.sqrt(count)
    assert found.half_width == pytest.approx(expected)


def test_the_front_holds_what_no_smaller_plan_beats() -> None:
    rows = [
        row("full", {0: 4.0}, 1000),
        row("mlp", {0: 5.5}, 500),
        row("attention", {0: 5.0}, 100),
        row("b", {0: 6.0}, 1),
    ]
    assert [r.plan for r in pareto(rows)] == ["b", "attention", "full"]
