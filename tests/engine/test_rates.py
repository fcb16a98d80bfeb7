from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.engine.rates import RATES, kind_of, peak_rate, suggest_learning_rate, width_of
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.runs import RunWriter, create_run, make_spec

MODELS = ("nano", "qwen2.5-1.5b-instruct")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        ("attention", "attention"),
        ("bitfit", "biases"),
        ("norms", "norms"),
        ("mlp", "mlp"),
        ("embeddings", "embeddings"),
        ("full", "full"),
    ],
)
def test_the_rate_goes_by_what_trains(model: str, plan: str, kind: str) -> None:
    selection = resolve(preset(plan, "last:4"), open_model(model))
    assert kind_of(resolve(preset(plan), open_model(model))) in (kind, "full")
    assert kind_of(selection, lora=True) == "lora"
    if plan != "full":
        assert kind_of(selection) == kind


def test_of_several_parts_the_lowest_rate_is_taken() -> None:
    blocks = resolve(preset("full", "last:4"), open_model("nano"))
    assert RATES[kind_of(blocks)] == min(RATES["attention"], RATES["mlp"], RATES["norms"])


def test_longer_runs_wider_models_and_more_blocks_want_less_and_larger_batches_more() -> None:
    def rate(model: str = "nano", layers: str = "last:4", steps: int = 40, batch: int = 8) -> float:
        selection = resolve(preset("attention", layers), open_model(model))
        return suggest_learning_rate(selection, steps=steps, batch=batch).rate

    assert rate(steps=400) < rate()
    assert rate(model=MODELS[1]) < rate()
    assert rate(layers="all") < rate()
    assert rate(batch=32) > rate()
    assert width_of(resolve(preset("bitfit"), open_model("nano"))) == 128


def test_beyond_what_was_measured_it_says_so() -> None:
    for model, steps, measured in ((MODELS[0], 40, True), (MODELS[0], 10_000, False)):
        suggested = suggest_learning_rate(
            resolve(preset("attention"), open_model(model)), steps=steps, batch=8
        )
        assert ("better find one" in suggested.source) != measured
    wide = resolve(preset("attention"), open_model(MODELS[1]))
    assert "better find one" in suggest_learning_rate(wide, steps=40, batch=8).source


def test_a_run_takes_the_rate_that_is_given_found_or_suggested(tmp_path: Path) -> None:
    selection = resolve(preset("attention"), open_model("nano"))
    spec = make_spec(model="nano", plan=selection.plan.to_dict(), data="x", steps=40)
    assert "40 steps" in peak_rate(spec, selection).source
    assert peak_rate(spec.changed(learning_rate=1e-3), selection).source == "given"
    finder = create_run(spec.changed(learning_rate_finder=True).to_dict(), spec.plan)
    follower = spec.changed(learning_rate_run=finder.name)
    with RunWriter(finder) as run:
        run.event("trial", rate=2e-2, loss=3.0, steps=10, elapsed=1.0)
        run.event("end", status="completed", learning_rate=1.7e-2)
        run.status("completed")
    found = peak_rate(follower, selection)
    assert (found.rate, found.note) == (1.7e-2, "")
    assert "1 runs of 10 steps" in found.source
    with RunWriter(finder) as run:
        run.status("failed", "No memory.")
    fallen = peak_rate(follower, selection)
    assert fallen.rate == peak_rate(spec, selection).rate
    assert "No memory. This run takes the suggested rate" in fallen.note
