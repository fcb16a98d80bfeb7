"""`freeze` and `cost` on the command line: exports, imported lists, the worker's way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen_ui.freeze import export_formats, export_text, preset, resolve
from qwen_ui.model import open_model
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
    assert "matches no parameter of nano" in said


def test_the_worker_s_way_costs_less_than_the_plain_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["cost", "nano", "--preset", "attention", "--batch-size", "4"]
    plain = record([*asked, "--sequence-length", "64"], capsys)
    worker = record([*asked, "--sequence-length", "64", "--worker"], capsys)
    assert worker["prefix_kept"]
    assert worker["flops_step"] < plain["flops_step"] / 2
    assert worker["weight_bytes"] == 2 * plain["weight_bytes"]  # float32 on a CPU
