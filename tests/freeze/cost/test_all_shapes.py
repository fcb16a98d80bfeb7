"""Prices composed of a few traces are those of a trace of the very shape, or are not composed."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from qwen_ui.engine import as_worker
from qwen_ui.freeze import StepSettings, preset, resolve
from qwen_ui.freeze.cost import price, tracer_cache
from qwen_ui.freeze.cost.all_shapes import Range
from qwen_ui.freeze.cost.background import wait_for_background
from qwen_ui.model import Anatomy, most_positions, open_model
from tests.helpers.small_models import small_model

SHAPES = [(1, 17), (1, 777), (2, 64), (9, 50), (32, 2048)]
PLANS = [("attention", "last:2"), ("full", None)]
# Blocks of these are the same operations in every shape.
UNIFORM = [
    ("qwen2", {}),
    pytest.param("gemma", {}, marks=pytest.mark.long),
    ("gpt2", {"padded": False}),
]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer_cache, "_models", {})


def costs(anatomy: Anatomy, **more: Any) -> list[object]:
    """Of each plan and shape, as long as the model takes it."""
    longest = most_positions(anatomy, 4096) or 4096
    found: list[object] = []
    for plan, layers in PLANS:
        selection = resolve(preset(plan, layers), anatomy)
        for batch, length in SHAPES:
            if length <= longest:
                settings = StepSettings(batch_size=batch, sequence_length=length, **more)
                found.append(price(anatomy, selection, settings))
    return found


def composed(model: Any) -> None:
    """Wait for what is made in the background, and forget what was traced directly."""
    assert wait_for_background(120)
    model._known.clear()


@pytest.mark.parametrize(("name", "more"), UNIFORM)
def test_composed_prices_are_the_traced_ones(
    name: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    anatomy = small_model(name)[1]
    monkeypatch.setattr(tracer_cache, "_SHAPES_ONE_BY_ONE", 10**9)
    traced = costs(anatomy, **more)
    monkeypatch.setattr(tracer_cache, "_models", {})
    monkeypatch.setattr(tracer_cache, "_SHAPES_ONE_BY_ONE", 0)
    assert costs(anatomy, **more) == traced
    (model,) = tracer_cache._models.values()
    composed(model)
    assert model._composed.keys() == model._begun
    assert all(model._composed.values())
    assert costs(anatomy, **more) == traced


def test_what_is_no_polynomial_is_traced_for_every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker computes head and loss in chunks of rows."""
    anatomy = open_model("nano")
    selection = resolve(preset("attention", "last:2"), anatomy)

    def worker_price(batch: int) -> object:
        settings = StepSettings(batch_size=batch, sequence_length=128)
        return price(anatomy, selection, as_worker(settings, dtype="float32", keep_prefix=True))

    monkeypatch.setattr(tracer_cache, "_SHAPES_ONE_BY_ONE", 10**9)
    traced = [worker_price(batch) for batch in (1, 2, 5, 12)]
    monkeypatch.setattr(tracer_cache, "_models", {})
    monkeypatch.setattr(tracer_cache, "_SHAPES_ONE_BY_ONE", 0)
    assert [worker_price(batch) for batch in (1, 2, 5, 12)] == traced
    (model,) = tracer_cache._models.values()
    composed(model)
    assert {True, False} == {found is not None for found in model._composed.values()}
    assert [worker_price(batch) for batch in (1, 2, 5, 12)] == traced


def test_a_process_ends_well_while_shapes_are_composed() -> None:
    code = (
        "from qwen_ui.freeze import StepSettings, preset, resolve\n"
        "from qwen_ui.freeze.cost import price, tracer_cache\n"
        "from qwen_ui.model import open_model\n"
        "tracer_cache._SHAPES_ONE_BY_ONE = 0\n"
        "anatomy = open_model('nano')\n"
        "plan = resolve(preset('attention'), anatomy)\n"
        "price(anatomy, plan, StepSettings(batch_size=2, sequence_length=64))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_shape_of_a_known_plan_traces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    anatomy = open_model("nano")
    selection = resolve(preset("attention", "last:2"), anatomy)
    monkeypatch.setattr(tracer_cache, "_SHAPES_ONE_BY_ONE", 0)
    price(anatomy, selection, StepSettings(batch_size=2, sequence_length=64))
    (model,) = tracer_cache._models.values()
    composed(model)
    monkeypatch.setattr(tracer_cache, "SegmentTracer", None)
    for batch, length in ((2, 65), (77, 1000), (1000, 4096)):
        price(anatomy, selection, StepSettings(batch_size=batch, sequence_length=length))


def test_who_asks_for_a_known_price_does_not_wait_for_a_trace() -> None:
    anatomy = open_model("nano")
    selection = resolve(preset("attention", "last:2"), anatomy)
    settings = StepSettings(batch_size=2, sequence_length=64)
    price(anatomy, selection, settings)
    (model,) = tracer_cache._models.values()
    with model._direct.lock:
        asker = threading.Thread(target=price, args=(anatomy, selection, settings))
        asker.start()
        asker.join(timeout=30)
        assert not asker.is_alive()


@pytest.mark.parametrize("longest", [4096, 1024, 128, 64])
@pytest.mark.parametrize("single", [True, False])
def test_nodes_and_checks_are_within_what_the_model_takes(longest: int, single: bool) -> None:
    known = Range(longest, single)
    assert len(set(known.nodes)) == len(known.nodes)
    assert not set(known.nodes) & set(known.checks)
    for batch, length in (*known.nodes, *known.checks):
        assert 2 <= length <= longest
        assert (batch == 1) == single
