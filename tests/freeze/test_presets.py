"""Presets: the globs for biases mean what `is_bias` means, and the top blocks are one number."""

from __future__ import annotations

import pytest

from qwen_ui.errors import PlanError
from qwen_ui.freeze import (
    TOP_BLOCKS,
    TOP_LAYERS,
    default_layers,
    parse_layers,
    preset,
    preset_plans,
    resolve,
)
from qwen_ui.model import is_bias
from tests.helpers.small_models import CONFIGURATIONS, small_model


@pytest.mark.parametrize("family", CONFIGURATIONS)
def test_bitfit_trains_every_bias_and_nothing_else(family: str) -> None:
    _, anatomy = small_model(family)
    biases = {p.name for p in anatomy.parameters if is_bias(p.name)}
    if not biases:
        with pytest.raises(PlanError, match="trains nothing"):
            resolve(preset("bitfit", "all"), anatomy)
        return
    assert resolve(preset("bitfit", "all"), anatomy).names == biases


@pytest.mark.parametrize(
    ("name", "bias"),
    [("self_attn.q_proj.bias", True), ("bias", True), ("mixer.dt_bias", False), ("a.beta", False)],
)
def test_the_last_part_of_a_name_says_whether_it_is_a_bias(name: str, bias: bool) -> None:
    assert is_bias(name) is bias


def test_the_top_blocks_are_one_number() -> None:
    assert len(parse_layers(TOP_LAYERS, 28)) == TOP_BLOCKS
    assert {default_layers(name) for name in ("attention", "bitfit")} == {TOP_LAYERS}
    assert {default_layers(name) for name in preset_plans()} == {TOP_LAYERS, "all"}


def test_an_unknown_preset_is_named_with_those_that_exist() -> None:
    with pytest.raises(PlanError, match=r"'lora'.*attention, bitfit"):
        preset("lora")
