"""The found and the suggested rate against a sweep on nano; docs/rates.md has more of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qwen_ui.engine import set_up, step_price, suggest_learning_rate
from qwen_ui.engine.rate_finder import best_rate, next_rate, trial_steps
from qwen_ui.engine.rate_trials import RateTrials
from qwen_ui.freeze import preset
from qwen_ui.freeze.cost.estimate import price
from qwen_ui.paths import ASSETS
from qwen_ui.runs import RunSpec, make_spec

STEPS = 40
GRID = (0.011, 0.025, 0.055)


def spec_of(plan: str) -> RunSpec:
    data = ASSETS / "data"
    return make_spec(
        model="nano",
        plan=preset(plan).to_dict(),
        data=str(data / "kjv-train.txt"),
        eval_data=str(data / "kjv-eval.txt"),
        steps=STEPS,
        batch_size=4,
        sequence_length=64,
        threads=1,
        device="cpu",
    )


def test_the_price_knows_the_weights_that_every_trial_begins_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large they are; a run itself reads where it began from the files then."""
    monkeypatch.setattr(step_price, "WORKER", replace(step_price.WORKER, origin_limit=0))
    spec = spec_of("full").finder()
    prepared = set_up(spec, tmp_path)
    trials, base = RateTrials(prepared), prepared.base
    held = sum(tensor.nbytes for tensor in trials.start.values())
    anatomy = base.selection.anatomy
    costs = [
        price(anatomy, base.selection, step_price.step_of(of, anatomy, "cpu", "off"))
        for of in (spec, spec_of("full"))
    ]
    assert [cost.origin_bytes for cost in costs] == [held, 0]
    assert costs[0].peak_bytes - costs[1].peak_bytes == held


@pytest.mark.long
def test_both_rates_gain_nearly_what_the_best_of_a_sweep_gains(tmp_path: Path) -> None:
    prepared = set_up(spec_of("attention"), tmp_path)
    trials = RateTrials(prepared)
    suggested = suggest_learning_rate(prepared.base.selection, steps=STEPS, batch=4).rate
    losses: dict[float, float | None] = {}
    while (rate := next_rate(losses, suggested)) is not None:
        losses[rate] = trials.after(rate, trial_steps(STEPS), seed=7)
    found = best_rate(losses, trials.before, STEPS)
    assert found is not None

    def gain(rate: float) -> float:
        loss = trials.after(rate, STEPS)
        return trials.before - (trials.before if loss is None else loss)

    best = max(map(gain, GRID))
    assert best > 0.5
    assert gain(found) > 0.85 * best
    assert gain(suggested) > 0.85 * best
