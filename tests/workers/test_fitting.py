"""Cards that a plan fits on, and what would make it fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_ui.engine import as_worker
from qwen_ui.freeze import FreezePlan, StepSettings, full_cost, preset, resolve
from qwen_ui.freeze.cost import OVERHEAD_BYTES, price
from qwen_ui.model import Anatomy, open_model
from qwen_ui.workers import CARDS, Card, fits_on_cards

STEP = StepSettings(batch_size=8, sequence_length=64)
GIGABYTE = 10**9


@pytest.fixture(scope="module")
def nano() -> Anatomy:
    return open_model("nano")


def card(size: float, **more: object) -> Card:
    return Card("a card", int(size + OVERHEAD_BYTES), **more)  # type: ignore[arg-type]


def test_a_card_has_less_than_is_on_the_box_and_its_name_says_what_that_is() -> None:
    for one in CARDS:
        on_the_box = float(one.name.split(", ")[1].removesuffix(" GB"))
        assert 0.6 * on_the_box < one.bytes / 2**30 < on_the_box, one.name
    assert len({one.name for one in CARDS}) == len(CARDS)
    assert [one.name for one in CARDS if not one.bfloat16] == ["Tesla T4, 16 GB"]


def test_a_step_fits_a_batch_or_only_a_smaller_one(nano: Anatomy) -> None:
    selection = resolve(preset("attention"), nano)
    peak = price(nano, selection, STEP).peak_bytes
    third = price(nano, selection, replace(STEP, batch_size=3)).peak_bytes
    enough, scarce = fits_on_cards(selection, STEP, (card(peak), card(third)))
    assert (enough.fits, enough.batch, enough.remedy) == (True, 8, "")
    assert (scarce.fits, scarce.batch, scarce.remedy) == (False, 3, "batch 3")
    assert enough.need == peak + OVERHEAD_BYTES


def test_changes_are_named_where_they_help_and_no_further(nano: Anatomy) -> None:
    selection = resolve(preset("full"), nano)
    one = replace(STEP, batch_size=1, sequence_length=512)
    checkpointed = price(nano, selection, replace(one, checkpointing=True)).peak_bytes
    assert checkpointed < full_cost(nano, one).peak_bytes
    (found,) = fits_on_cards(selection, one, (card(checkpointed),))
    # Everything trains, so no block's output could be cached.
    assert (found.batch, found.remedy) == (0, "gradient checkpointing")


def test_fewer_blocks_are_the_last_resort(nano: Anatomy) -> None:
    selection = resolve(preset("full"), nano)
    settings = replace(STEP, batch_size=1, checkpointing=True, optimizer="sgd")
    last_five = resolve(FreezePlan.from_dict({"schema": 1, "rules": [{"layers": "last:5"}]}), nano)
    memory = price(nano, last_five, settings).peak_bytes
    fits, none = fits_on_cards(selection, settings, (card(memory), card(1)))
    assert fits.remedy == "only the last 5 blocks"
    assert (none.batch, none.remedy) == (0, "")


def test_the_worker_computes_as_on_a_gpu_in_what_the_card_has(nano: Anatomy) -> None:
    selection = resolve(preset("attention"), nano)
    settings = as_worker(STEP, dtype="float32", keep_prefix=True)
    cards = (Card("new", GIGABYTE), Card("old", GIGABYTE, bfloat16=False))
    new, old = fits_on_cards(selection, settings, cards)
    for found, dtype in ((new, "bfloat16"), (old, "float32")):
        there = as_worker(STEP, dtype=dtype, keep_prefix=True, on_gpu=True)
        assert found.need == price(nano, selection, there).peak_bytes + OVERHEAD_BYTES


def test_all_that_the_worker_can_do_is_tried(nano: Anatomy) -> None:
    selection = resolve(preset("full"), nano)
    asked = as_worker(STEP, dtype=None, keep_prefix=True, on_gpu=True)
    away = as_worker(STEP, dtype=None, keep_prefix=True, on_gpu=True, offload=True)
    offloaded = replace(away, batch_size=1, checkpointing=True)
    memory = price(nano, selection, offloaded).peak_bytes
    (found,) = fits_on_cards(selection, asked, (card(memory),))
    assert found.batch == 0
    assert "the optimizer's state in main memory" in found.remedy
    assert found.remedy.endswith("batch 1")
