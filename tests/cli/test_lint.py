"""`lint` on the command line: exit codes, the JSON object, standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.helpers.commands import record, run


def test_a_clean_selection_ends_with_0_and_its_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "axolotl.yaml"
    file.write_text("base_model: x\nunfrozen_parameters:\n- model.layers.2[67].mlp.down_proj\n")
    found = record(["lint", str(file), "--base", "nano"], capsys)
    assert found["format"] == "axolotl"
    assert found["trainable_names"] == [f"model.layers.{i}.mlp.down_proj.weight" for i in (26, 27)]
    assert found["price"]["flops_step"] < found["price"]["full"]["flops_step"]
    assert found["plan"]["rules"] == [
        {"train": True, "layers": "last:2", "kinds": ["mlp.down_proj.weight"]}
    ]
    code, out, _ = run(["lint", str(file), "--base", "nano", "--no-price"], capsys)
    assert code == 0
    assert "2 train" in out


def test_a_wrong_selection_ends_with_2_and_is_printed_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps({"peft_type": "LORA", "target_modules": ["q_proj", "nothing"]}))
    code, out, said = run(["lint", str(file), "--base", "nano", "--no-price", "--json"], capsys)
    assert code == 2
    assert len(json.loads(out)["trainable_names"]) == 28
    assert "'nothing'" in said
    assert said.count("\n") == 1


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, said = run(["lint", "missing.yaml"], capsys)
    assert (code, out) == (2, "")
    assert "missing.yaml" in said


def test_standard_input_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"model.norm.weight\n")))
    found = record(["lint", "-", "--base", "nano", "--no-price"], capsys)
    assert found["format"] == "names"
    assert found["trainable_names"] == ["model.norm.weight"]
