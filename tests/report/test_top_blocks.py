"""What the report says of a choice is what `freeze.resolve` gives, in every family."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn

from qwen_ui.errors import PlanError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, is_bias, open_model
from qwen_ui.report.checks import audit
from qwen_ui.report.description import architecture_in_words
from qwen_ui.report.freezing_notes import freezing_notes
from qwen_ui.report.top_blocks import top_selection
from tests.helpers.small_models import CONFIGURATIONS, small_model

TITLES = {"full": "The top 4", "attention": "Attention-only", "bitfit": "BitFit"}
FAMILIES = tuple(CONFIGURATIONS)


@cache
def opened(family: str) -> Anatomy:
    return open_model(CONFIGURATIONS[family]())


def expected(anatomy: Anatomy, name: str) -> frozenset[str]:
    try:
        return resolve(preset(name, "last:4"), anatomy).names
    except PlanError:
        return frozenset()


@pytest.mark.parametrize("name", TITLES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_recipe_trains_and_names_what_resolve_gives(family: str, name: str) -> None:
    module, anatomy = small_model(family)
    notes = freezing_notes(anatomy)
    wanted = expected(anatomy, name)
    section = next(s for s in notes.split("\n### ") if s.startswith(TITLES[name]))
    if not wanted:
        assert "Nothing to train" in section
        return
    scope: dict[str, object] = {"model": module}
    for code in re.findall(r"```python\n(.*?)```", notes[: notes.index(section)], re.S)[:1]:
        exec(code, scope)
    exec(re.findall(r"```python\n(.*?)```", section, re.S)[0], scope)
    assert {n for n, p in module.named_parameters() if p.requires_grad} == wanted
    assert f"in {len(wanted)} tensors" in section
    # One block of each form is listed name by name.
    assert set(re.findall(r"^- `([^`]+)`", section, re.M)) <= wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_check_selects_what_resolve_gives(family: str) -> None:
    anatomy = opened(family)
    evidence = audit(anatomy)[-1].evidence
    for label, name in (("attention", "attention"), ("biases", "bitfit")):
        count = len(expected(anatomy, name))
        text = f"{label} of the top 4 blocks: {count} tensors selected, {count} with a gradient"
        assert (text if count else f"{label}: the top 4 blocks have none") in evidence


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bias_is_one_thing_in_report_and_plan(family: str) -> None:
    _, anatomy = small_model(family)
    assert_one_definition(anatomy)


class Odd(nn.Module):
    """A layer norm of the old names, a bias on the block itself, one whose name ends so."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Module()
        self.norm.gamma = nn.Parameter(torch.ones(4))
        self.norm.beta = nn.Parameter(torch.zeros(4))
        self.bias = nn.Parameter(torch.zeros(4))
        self.dt_bias = nn.Parameter(torch.zeros(4))
        self.linear = nn.Linear(4, 4)


def test_a_bias_is_one_thing_where_names_are_odd() -> None:
    model = nn.Module()
    model.layers = nn.ModuleList([Odd() for _ in range(5)])
    anatomy = open_model(model)
    assert_one_definition(anatomy)
    selection = top_selection(anatomy, "bitfit")
    assert selection is not None
    assert {p.kind for p in selection.parameters} == {"bias", "linear.bias"}


def assert_one_definition(anatomy: Anatomy) -> None:
    """Preset, `is_bias` and the report's paragraph mean the same tensors."""
    biases = [p for p in anatomy.parameters if is_bias(p.name)]
    inside = {p.name for p in biases if p.block is not None}
    first = anatomy.block_count
    assert expected_all(anatomy) == {p.name for p in biases}
    assert {n for n in expected(anatomy, "bitfit")} == {
        n for n in inside if (anatomy.by_name[n].block or 0) >= first - 4
    }
    words = architecture_in_words(anatomy).partition("**Biases.**")[2]
    total = f" {sum(p.numel for p in biases):,} parameters in {len(biases)} tensors"
    assert words.startswith(total if biases else " None anywhere.")


def expected_all(anatomy: Anatomy) -> frozenset[str]:
    try:
        return resolve(preset("bitfit", "all"), anatomy).names
    except PlanError:
        return frozenset()


def test_the_report_follows_the_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the preset changed, its recipe and its check would change with it."""
    narrowed: Callable[..., object] = lambda name, layers: preset("norms", layers)  # noqa: E731
    monkeypatch.setattr("qwen_ui.report.top_blocks.preset", narrowed)
    _, anatomy = small_model("qwen2")
    norms = {p.name for p in resolve(preset("norms", "last:4"), anatomy).parameters}
    section = freezing_notes(anatomy).split("\n### ")[2]
    assert section.startswith("Attention-only")
    assert f"in {len(norms)} tensors" in section
