from __future__ import annotations

import pytest

from qwen_ui.engine.rates import suggest_learning_rate
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model


@pytest.mark.parametrize(
    ("model", "plan", "rate"),
    [
        ("qwen2.5-1.5b-instruct", "bitfit", 1e-3),
        ("qwen2.5-1.5b-instruct", "full", 1e-5),
        ("nano", "bitfit", 3e-1),
        ("nano", "attention", 1e-2),
        ("nano", "full", 1e-3),
    ],
)
def test_the_suggestion_goes_by_plan_and_size_and_names_its_source(
    model: str, plan: str, rate: float
) -> None:
    suggested = suggest_learning_rate(resolve(preset(plan), open_model(model)))
    assert suggested.rate == rate
    assert len(suggested.source) > 10
