"""The paired difference of two plans: its interval holds what it says, over seeds and samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qwen_ui.compare import Row, headline, row_records, verdict_sentence
from qwen_ui.compare import paired as paired_module
from qwen_ui.compare.paired import PairedDifference, paired_difference
from qwen_ui.compare.rows import kept_pareto
from qwen_ui.compare.verdict import paired_record
from qwen_ui.runs import HeldOut, KeptText
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


KEPT_TOKENS = (10, 10, 10)


def kept(after: tuple[float, ...]) -> KeptText:
    return KeptText(KEPT_TOKENS, (30.0,) * 3, after, (1.0,) * 3)


def kept_rows(first: float, second: float) -> list[Row]:
    """Two plans over two seeds: the first gains more, and forgets so much more on each seed."""
    texts = frozenset({"austen"})
    rows = []
    for plan, loss, forgets in (("first", 2.0, first), ("second", 2.5, second)):
        both = {0: forgets, 1: forgets + 0.001}
        name = plan[0]
        rows.append(
            replace(
                row(plan, {0: loss, 1: loss + 0.001}),
                run_of={0: f"{name}0", 1: f"{name}1"},
                forgets=both,
                kls=both,
                kept=texts,
            )
        )
    return rows


@pytest.mark.parametrize(
    ("more", "after", "decided", "said"),
    [
        (0.1, (31.0, 31.0, 31.0), True, "but forgets 0.10 more"),
        (-0.1, (29.0, 29.0, 29.0), True, "and forgets 0.10 less"),
        (0.1, (50.0, 20.0, 23.0), False, "first beats second by 0.50 nats"),
    ],
)
def test_forgetting_is_paired_as_the_gain_is(
    monkeypatch: pytest.MonkeyPatch,
    more: float,
    after: tuple[float, ...],
    decided: bool,
    said: str,
) -> None:
    rows = kept_rows(0.3 + more, 0.3)
    low = HeldOut(KEPT_TOKENS, (60.0,) * 3, (20.0,) * 3)
    high = HeldOut(KEPT_TOKENS, (60.0,) * 3, (25.0,) * 3)
    monkeypatch.setattr(paired_module, "held_out_of", lambda run: low if run[0] == "f" else high)
    texts = {"f": kept(after), "s": kept((30.0, 30.0, 30.0))}
    monkeypatch.setattr(paired_module, "kept_text_of", lambda run: texts[run[0]])
    found = paired_difference(rows)
    assert found is not None
    assert found.forgetting is not None
    assert found.forgetting.mean == pytest.approx(more)
    assert found.forgetting.samples == 3
    assert found.forgetting.over_samples is not None
    low_end, high_end = found.forgetting.over_samples
    assert low_end - 1e-9 <= sum(after) / 30 - 3 <= high_end + 1e-9
    assert found.forgetting.decided == decided
    assert said in headline(rows)
    sentence = verdict_sentence(rows)
    amount = f"{abs(more):.2f} {'more' if more > 0 else 'less'}"
    assert f"it gains 0.50 more and forgets {amount}" in sentence
    assert "over the 3 samples of that text it lies between" in sentence
    assert ("no difference shown" in sentence) != decided
    record = paired_record(rows)
    assert record is not None
    assert record["forgetting"]["decided"] == decided


def test_without_one_text_for_all_nothing_is_said_of_forgetting() -> None:
    rows = [replace(r, run_of={}) for r in kept_rows(0.4, 0.3)]
    other = [rows[0], replace(rows[1], kept=frozenset({"another"}))]
    for asked in (other, [rows[0], replace(rows[1], forgets={}, kls={}, kept=frozenset())]):
        found = paired_difference(asked)
        assert found is not None
        assert found.forgetting is None
        assert "forget" not in verdict_sentence(asked).lower() + headline(asked).lower()
        assert kept_pareto(asked) == []


def test_the_front_of_gain_and_forgetting() -> None:
    """Of three plans one gains less than another that forgets as little."""
    rows = kept_rows(0.4, 0.3)
    worse = replace(row("worse", {0: 3.0, 1: 3.0}), forgets={0: 0.35, 1: 0.35})
    worse = replace(worse, kls=worse.forgets, kept=rows[0].kept)
    assert [r.plan for r in kept_pareto([*rows, worse])] == ["second", "first"]
    records = {r["plan"]: r for r in row_records([*rows, worse])}
    assert [records[plan]["kept_front"] for plan in ("first", "second", "worse")] == [
        True,
        True,
        False,
    ]
    assert records["first"]["forgetting"] == pytest.approx(0.4005)
    assert records["first"]["forgets"] == {"0": 0.4, "1": 0.401}
