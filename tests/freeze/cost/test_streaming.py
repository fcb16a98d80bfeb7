"""Frozen blocks that are read once and never held: their price, its laws, and the choice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.freeze import Cost, FreezePlan, Rule, StepSettings, preset, resolve
from qwen_ui.freeze.cost import (
    WORTHWHILE,
    Speed,
    choose_way,
    full_cost,
    pass_time,
    price,
    streamed_parameters,
    streamed_sentence,
)
from qwen_ui.model import Anatomy, open_model
from tests.helpers.small_models import CONFIGURATIONS, small_model

STEP = StepSettings(batch_size=2, sequence_length=16)
BYTES = st.floats(min_value=0, max_value=1e13)


def ways(anatomy: Anatomy, layers: str, plan: str = "full") -> tuple[Cost, Cost, Cost]:
    """The price with frozen blocks run at every step, held with cached outputs, and read once."""
    selection = resolve(preset(plan, layers), anatomy)
    settings = (
        STEP,
        replace(STEP, keep_prefix=True),
        replace(STEP, stream_prefix=True),
    )
    plain, kept, streamed = (price(anatomy, selection, one) for one in settings)
    return plain, kept, streamed


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_reading_once_never_takes_more_and_the_less_the_deeper(name: str) -> None:
    _, anatomy = small_model(name)
    peaks, loaded = [], []
    for trained in range(1, anatomy.block_count + 1):
        plain, kept, streamed = ways(anatomy, f"last:{trained}")
        assert streamed.peak_bytes <= kept.peak_bytes
        assert streamed.loaded_bytes <= kept.loaded_bytes == kept.weight_bytes
        assert streamed.weight_bytes == plain.weight_bytes == plain.loaded_bytes
        assert streamed.flops_step == kept.flops_step
        assert (streamed.streamed_bytes > 0) == (trained < anatomy.block_count)
        peaks.append(streamed.peak_bytes)
        loaded.append(streamed.loaded_bytes)
    assert peaks == sorted(peaks)
    assert loaded == sorted(loaded)


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_the_pass_computes_what_a_cached_prefix_saves(name: str) -> None:
    _, anatomy = small_model(name)
    plain, kept, streamed = ways(anatomy, "last:1", "attention")
    saved = plain.flops_forward - kept.flops_forward
    assert streamed.pass_flops_per_token * STEP.shape.tokens == pytest.approx(saved)
    assert plain.pass_flops_per_token == 0


def test_the_figures_of_the_large_model(qwen: Anatomy) -> None:
    """STREAM: the 1.5B's last 4 blocks take 0.84 GB instead of 3.1."""
    _, kept, streamed = ways(qwen, "last:4", "attention")
    assert kept.loaded_bytes == 3_087_428_608
    assert streamed.streamed_bytes == streamed.pass_read_bytes == 24 * 46_797_824 * 2
    assert streamed.weight_bytes - streamed.streamed_bytes == 841_133_056
    assert streamed.loaded_bytes == 841_133_056 + 46_797_824 * 2
    assert streamed_sentence(streamed) == (
        "2.25 GB of weights are read once and never held; 841 MB stay."
    )
    assert streamed_sentence(kept) == ""


def test_what_the_files_hold_is_read_in_their_dtype(qwen: Anatomy) -> None:
    selection = resolve(preset("attention"), qwen)
    wide = price(qwen, selection, replace(STEP, stream_prefix=True, dtype="float32"))
    assert wide.streamed_bytes == 2 * wide.pass_read_bytes


def test_an_embedding_of_its_own_is_read_with_the_first_block(qwen: Anatomy) -> None:
    large = open_model("qwen2.5-7b-instruct")
    _, _, cost = ways(large, "last:4", "attention")
    block, table = 233_057_792 * 2, 152_064 * 3_584 * 2
    assert cost.streamed_bytes == 24 * block + table
    assert cost.loaded_bytes == cost.weight_bytes - 23 * block
    trained = resolve(FreezePlan(rules=(Rule(roles=("embedding",)),)), large)
    assert streamed_parameters(trained) == ()
    tied = streamed_parameters(resolve(preset("attention"), qwen))
    assert {p.block for p in tied} == set(range(24))


def test_a_tensor_that_a_later_block_shares_stays() -> None:
    nano = open_model("nano")
    selection = resolve(preset("attention", "last:1"), nano)
    below = streamed_parameters(selection)
    assert {p.block for p in below} == set(range(27))
    first = nano.parameters[1]
    assert first in below
    shared = replace(first, aliases=(first.name.replace(".0.", ".27."),))
    others = tuple(shared if p == first else p for p in nano.parameters)
    tied = replace(selection, anatomy=replace(nano, parameters=others))
    assert shared not in streamed_parameters(tied)


def test_training_everything_reads_nothing_once(qwen: Anatomy) -> None:
    everything = full_cost(qwen, replace(STEP, stream_prefix=True))
    assert everything.streamed_bytes == everything.pass_flops_per_token == 0


@given(kept=BYTES, streamed=BYTES, free=BYTES)
def test_the_choice_holds_what_fits_and_reads_once_what_helps(
    kept: float, streamed: float, free: float
) -> None:
    way = choose_way("auto", kept=kept, streamed=streamed, free=free)
    if kept <= free or streamed >= kept:
        assert way == "keep"
    if way == "stream":
        assert kept - streamed >= WORTHWHILE * free
    for asked in ("off", "keep", "stream"):
        assert choose_way(asked, kept=kept, streamed=streamed, free=free) == asked


@given(kept=BYTES, streamed=BYTES, free=BYTES, more=st.floats(min_value=1, max_value=100))
def test_more_memory_never_makes_it_stream(
    kept: float, streamed: float, free: float, more: float
) -> None:
    if choose_way("auto", kept=kept, streamed=streamed, free=free) == "keep":
        later = choose_way("auto", kept=kept, streamed=streamed, free=free * more)
        assert later == "keep"


def test_the_time_is_the_slower_part_s_and_every_portion_reads_anew(qwen: Anatomy) -> None:
    _, _, cost = ways(qwen, "last:4", "attention")
    tokens = 10_000
    portion = tokens * cost.kept_bytes_per_token // 4
    found = pass_time(cost, tokens, Speed(1e9, 1e12, measured=False), portion)
    assert found.readings == 1 + 4
    assert found.disk == 5 * cost.pass_read_bytes / 1e9
    assert found.compute == tokens * cost.pass_flops_per_token / 1e12
    assert found.seconds == max(found.disk, found.compute)
