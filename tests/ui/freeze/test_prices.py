"""The price panel's figures and the exports, without a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qwen_ui.errors import SettingsError
from qwen_ui.formats import short_bytes
from qwen_ui.freeze import FreezePlan, StepSettings, export_formats, preset, resolve
from qwen_ui.freeze.cost import price
from qwen_ui.model import open_model
from qwen_ui.ui.freeze import actions
from qwen_ui.ui.freeze.prices import (
    found_memory,
    memory_of,
    price_record,
    settings_of,
)
from qwen_ui.ui.freeze.selection_data import ranges_of
from qwen_ui.ui.freeze.selector import shell
from qwen_ui.workers import largest_batch

NANO = open_model("nano")
ASKED: dict[str, Any] = {"batch_size": "2", "sequence_length": "64", "optimizer": "adamw"}


def ranges(name: str) -> str:
    return ranges_of(NANO, resolve(preset(name), NANO).names)


def test_the_table_has_both_figures_and_their_ratio() -> None:
    settings = settings_of({"batch_size": "4", "sequence_length": "512"}, NANO)
    selection = resolve(preset("attention"), open_model("qwen2.5-1.5b-instruct"))
    record = price_record(selection, settings)
    rows = {row["label"]: row for row in record["rows"]}
    assert (rows["whole step"]["plan"], rows["whole step"]["full"]) == ("8.12 TFLOP", "19.0 TFLOP")
    assert rows["saved activations"]["full"] == "7.56 GB"
    assert rows["gradients"]["ratio"] == pytest.approx(22_028_288 / 1_543_714_304)
    assert record["prefix"] == 24
    assert record["sentence"].startswith("A step takes 42.8 % of the computation")


def test_a_price_is_answered_for_what_is_ticked() -> None:
    plan = actions.price_step(NANO, ranges("bitfit"), ASKED)
    nothing = actions.price_step(NANO, "", ASKED)
    gradients = next(row for row in plan["rows"] if row["label"] == "gradients")
    assert gradients["exact"] == f"{1024 * 2:,} of {NANO.bytes:,}"
    assert [row["plan"] for row in nothing["rows"] if row["label"] == "gradients"] == ["0 B"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bitfit", "full"])
def test_one_sequence_more_than_the_largest_batch_does_not_fit(name: str) -> None:
    settings = StepSettings(batch_size=2, sequence_length=64)
    selection = resolve(preset(name), NANO)
    memory = 400_000_000
    most = largest_batch(selection, settings, memory)

    def peak(batch: int) -> int:
        return price(NANO, selection, replace(settings, batch_size=batch)).peak_bytes

    assert most > 1
    assert peak(most) <= memory < peak(most + 1)


def test_where_nothing_fits_no_batch_does() -> None:
    settings = StepSettings(batch_size=1, sequence_length=64)
    assert largest_batch(resolve(FreezePlan(), NANO), settings, 1000) == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"batch_size": "four"}, "'four' is not a valid batch size"),
        ({"batch_size": ""}, "not a valid batch size"),
        ({"sequence_length": "1e9"}, "not a valid sequence length"),
        ({"batch_size": "0"}, "A step cannot have"),
        ({"optimizer": "magic"}, "no optimizer 'magic'"),
    ],
)
def test_settings_that_cannot_be_are_told(asked: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings_of(ASKED | asked, NANO)


def test_memory_is_typed_or_found() -> None:
    assert memory_of("24").bytes == 24_000_000_000
    assert memory_of(" ") == found_memory()
    assert found_memory().bytes > 0
    for text in ("lots", "-1", "0", "nan", "inf"):
        with pytest.raises(SettingsError, match="not a valid amount of memory"):
            memory_of(text)


def test_every_export_format_is_offered_and_written() -> None:
    offered = actions.list_formats(NANO)["formats"]
    assert [name for name, _ in offered] == list(export_formats())
    for name, _ in offered:
        written = actions.export_plan(NANO, ranges("attention"), name)
        assert written["text"]
        assert written["file"] == export_formats()[name].file_name


def test_the_panels_offer_every_optimizer() -> None:
    for name in ("adamw", "adamw_8bit", "sgd", "sgd_momentum"):
        assert f'value="{name}"' in shell()


def test_the_ways_of_running_a_step_stand_beside_training_everything() -> None:
    ways = actions.price_ways(NANO, ranges("attention"), ASKED | {"checkpointing": True})["ways"]
    plain, kept, checkpointed, both, _ = ways
    labels = ["plain", "prefix cached", "checkpointing", "both", "prefix read once"]
    assert [way["label"] for way in ways] == labels
    assert kept["step_ratio"] < plain["step_ratio"] < checkpointed["step_ratio"] < 1
    assert both["step_ratio"] < checkpointed["step_ratio"]
    assert checkpointed["peak_ratio"] <= plain["peak_ratio"] < 1
    full = actions.price_ways(NANO, ranges("full"), ASKED)["ways"][0]
    assert (full["step_ratio"], full["peak_ratio"]) == (1, 1)


def test_weights_that_are_read_once_are_told_apart_from_those_that_stay() -> None:
    answer = actions.price_ways(NANO, ranges("attention"), ASKED)
    _, kept, _, _, streamed = answer["ways"]
    assert streamed["step"] == kept["step"]
    assert streamed["peak_ratio"] < kept["peak_ratio"]
    blocks = [p for p in NANO.parameters if p.block is not None and p.block < 24]
    read = short_bytes(sum(p.bytes for p in blocks))
    stay = short_bytes(sum(p.bytes for p in NANO.parameters if p not in blocks))
    assert answer["streamed"] == f"{read} of weights are read once and never held; {stay} stay."
    everything = actions.price_ways(NANO, ranges("full"), ASKED)
    assert everything["streamed"] == ""
    assert len(everything["ways"]) == 4


def test_the_train_tab_s_way_is_a_setting() -> None:
    plain = settings_of(ASKED, NANO)
    worker = settings_of(ASKED | {"worker": True, "optimizer": "sgd"}, NANO)
    assert worker.engine is not None
    assert (worker.optimizer, worker.keep_prefix, worker.checkpointing) == ("adamw", True, False)
    selection = resolve(preset("attention"), NANO)
    rows = {row["label"]: row for row in price_record(selection, worker)["rows"]}
    copies = f"{4 * selection.trainable_parameters:,} of {4 * NANO.total_parameters:,}"
    assert rows["initial copies of the trained weights"]["exact"] == copies
    assert "initial copies of the trained weights" not in {
        row["label"] for row in price_record(selection, plain)["rows"]
    }
