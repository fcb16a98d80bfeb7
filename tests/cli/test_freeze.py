"""`freeze` and `cost` on the command line: exports, imported lists, the worker's way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen_ui.freeze import export_formats, export_text, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.workers import CARDS
from tests.helpers.commands import record, run

NANO = open_model("nano")
ATTENTION = ["freeze", "nano", "--preset", "attention"]


@pytest.mark.parametrize("format", list(export_formats()))
def test_an_export_is_printed_as_it_is_and_stands_in_the_json(
    format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = export_text(resolve(preset("attention"), NANO), format)
    code, out, _ = run([*ATTENTION, "--export", format], capsys)
    assert (code, out) == (0, text.rstrip("\n") + "\n")
    found = record([*ATTENTION, "--export", format], capsys)
    assert found["export"] == text.rstrip("\n")
    assert found["trainable_parameters"] == 197_632


def test_an_unknown_export_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, said = run([*ATTENTION, "--export", "keras"], capsys)
    assert (code, out) == (2, "")
    assert "no export format 'keras'" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("model.norm.weight\nmodel.layers.3.mlp.up_proj.weight\n", 2),
        ('["lm_head.weight"]', 1),
        ("base_model: x\nunfrozen_parameters:\n  - model.layers.2[67].self_attn.q_proj\n", 4),
    ],
)
def test_a_plan_may_be_a_list_of_names_or_axolotl_s_patterns(
    text: str, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, plan = tmp_path / "list.txt", tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    found = record(["freeze", "nano", "--plan", str(file), "--save", str(plan)], capsys)
    assert len(found["trainable_names"]) == count
    again = record(["freeze", "nano", "--plan", str(plan)], capsys)
    assert again["trainable_names"] == found["trainable_names"]
    assert json.loads(plan.read_text())["schema"] == 1


def test_a_list_of_names_of_another_model_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.txt"
    file.write_text("transformer.h.0.attn.c_attn.weight\n", encoding="utf-8")
    code, _, said = run(["freeze", "nano", "--plan", str(file)], capsys)
    assert code == 2
    assert "neither a name nor a pattern of a parameter of nano" in said


def test_the_worker_s_way_costs_less_than_the_plain_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["cost", "nano", "--preset", "attention", "--batch-size", "4"]
    plain = record([*asked, "--sequence-length", "64"], capsys)
    worker = record([*asked, "--sequence-length", "64", "--worker"], capsys)
    assert worker["prefix_kept"]
    assert worker["flops_step"] < plain["flops_step"] / 2
    assert worker["weight_bytes"] == 2 * plain["weight_bytes"]  # float32 on a CPU


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--preset", "attention"], 22_028_288),
        (["--preset", "bitfit"], 8_192),
        (["--preset", "attention", "--layers", "all"], 154_198_016),
        (["--preset", "mlp"], 1_156_055_040),
        (["--preset", "norms"], 87_552),
        (["--preset", "bitfit", "--layers", "all"], 57_344),
        (["--preset", "embeddings"], 233_373_696),
        (["--preset", "full"], 1_543_714_304),
        (["--preset", "none"], 0),
        (["--match", r"\.bias$", "--layers", "24-27"], 8_192),
    ],
)
def test_freeze_prints_the_exact_counts(
    options: list[str], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = record(["freeze", "qwen2.5-1.5b-instruct", *options], capsys)
    assert found["trainable_parameters"] == count
    assert found["trainable_fraction"] == count / 1_543_714_304
    assert found["trainable_names"] == sorted(found["trainable_names"])
    in_blocks = sum(block["trainable_parameters"] for block in found["blocks"])
    outside = {"norms": 1536, "embeddings": 233_373_696, "full": 233_373_696 + 1536}
    assert in_blocks + outside.get(options[1], 0) == count


def test_a_saved_plan_freezes_the_same_names_in_another_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    first = record(["freeze", "--preset", "attention", "--save", str(file)], capsys)
    second = record(["freeze", "nano", "--plan", str(file)], capsys)
    assert first["trainable_names"] == second["trainable_names"]


def test_cost_prints_the_figures_of_one_step(capsys: pytest.CaptureFixture[str]) -> None:
    found = record(
        ["cost", "--preset", "attention", "--batch-size", "4", "--sequence-length", "512"], capsys
    )
    assert found["flops_step"] == pytest.approx(8.12e12, rel=0.01)
    assert found["full"]["flops_step"] == pytest.approx(18.97e12, rel=0.01)
    assert found["activation_bytes"] == pytest.approx(1.9e9, rel=0.02)
    assert found["full"]["activation_bytes"] == pytest.approx(7.6e9, rel=0.02)
    assert found["weight_bytes"] == 3_087_428_608
    assert found["gradient_bytes"] == 2 * 22_028_288
    assert found["optimizer_bytes"] == 8 * 22_028_288
    assert found["peak_bytes"] < found["full"]["peak_bytes"]


def test_cost_says_which_cards_it_fits_on(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["cost", "nano", "--preset", "full", "--batch-size", "4", "--sequence-length", "64"]
    _, out, _ = run([*asked, "--worker", "--gpus", "--json"], capsys)
    rows = json.loads(out)["gpus"]
    assert [row["card"]["name"] for row in rows] == [card.name for card in CARDS]
    assert all(row["fits"] and row["batch"] > 100 for row in rows)
    _, text, _ = run([*asked, "--gpus"], capsys)
    assert "what would make it fit" in text
    assert "RTX 4090, 24 GB" in text


def test_the_price_of_frozen_blocks_that_are_read_once(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["cost", "qwen2.5-1.5b-instruct", "--preset", "attention", "--batch-size", "1"]
    asked += ["--sequence-length", "64"]
    plain = record(asked, capsys)
    assert plain["loaded_bytes"] == plain["weight_bytes"]
    assert "pass" not in plain
    streamed = record([*asked, "--prefix", "stream", "--sequences", "10"], capsys)
    assert streamed["peak_bytes"] < plain["peak_bytes"]
    assert streamed["streamed_bytes"] == 24 * 46_797_824 * 2
    assert streamed["loaded_bytes"] == plain["weight_bytes"] - 23 * 46_797_824 * 2
    passed = streamed["pass"]
    assert passed["kept_bytes"] == 640 * 2 * 1536
    assert passed["seconds"] == max(passed["disk_seconds"], passed["compute_seconds"])
    assert not passed["speed"]["measured"]
    code, out, _ = run([*asked, "--prefix", "stream", "--sequences", "10"], capsys)
    assert code == 0
    assert "2.25 GB of weights are read once and never held; 841 MB stay." in out
    fits = record([*asked, "--prefix", "auto", "--memory", "8"], capsys)
    tight = record([*asked, "--prefix", "auto", "--memory", "2"], capsys)
    assert (fits["streamed_bytes"], fits["prefix_kept"]) == (0, True)
    assert tight["peak_bytes"] == streamed["peak_bytes"]
