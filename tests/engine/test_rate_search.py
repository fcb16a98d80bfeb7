"""The found and the suggested rate against a sweep on nano; docs/rates.md has more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.engine import set_up, suggest_learning_rate
from qwen_ui.engine.rate_finder import best_rate, next_rate, trial_steps
from qwen_ui.engine.rate_trials import RateTrials
from qwen_ui.freeze import preset
from qwen_ui.paths import ASSETS
from qwen_ui.runs import make_spec

STEPS = 40
GRID = (0.011, 0.025, 0.055)


@pytest.mark.long
def test_both_rates_gain_nearly_what_the_best_of_a_sweep_gains(tmp_path: Path) -> None:
    data = ASSETS / "data"
    spec = make_spec(
        model="nano",
        plan=preset("attention").to_dict(),
        data=str(data / "kjv-train.txt"),
        eval_data=str(data / "kjv-eval.txt"),
        steps=STEPS,
        batch_size=4,
        sequence_length=64,
        threads=1,
        device="cpu",
    )
    prepared = set_up(spec, tmp_path)
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
