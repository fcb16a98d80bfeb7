"""`inspect` and `report` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.paths import ASSETS
from tests.helpers.commands import record, run


def test_inspect_prints_the_figures_of_the_default_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = record(["inspect"], capsys)
    assert found["total_parameters"] == 1_543_714_304
    assert found["tensors"] == 338
    assert found["block_count"] == len(found["blocks"]) == 28
    assert {block["parameters"] for block in found["blocks"]} == {46_797_824}
    assert found["blocks"][7]["name"] == "model.layers.7"
    assert len([kind for kind in found["kinds"] if kind["blocks"]]) == 12
    assert found["tied"] == [["model.embed_tokens.weight", "lm_head.weight"]]
    assert found["dtype"] == "bfloat16"
    assert found["bytes"] == 2 * found["total_parameters"]


def test_an_unreadable_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2", ')
    code, _, err = run(["inspect", str(tmp_path)], capsys)
    assert code == 2
    assert "config.json" in err


def test_words_for_people_hold_the_exact_figures(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["inspect"], capsys)
    assert code == 0
    assert "1,543,714,304 parameters in 338 tensors, 28 blocks" in out
    assert "model.embed_tokens.weight = lm_head.weight" in out


def test_report_prints_its_checks_and_writes_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.md"
    found = record(["report", "nano", "-o", str(file)], capsys)
    assert found["checks"]
    assert all(check["passed"] and check["evidence"] for check in found["checks"])
    assert file.read_text() == found["markdown"]


def test_inspect_says_whether_the_weights_at_hand_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nano = record(["inspect", "nano"], capsys)["weights"]
    assert nano["fits"]
    assert nano["missing"] == nano["unexpected"] == nano["mismatched"] == []
    assert 0 < nano["bytes_read"] < 100_000
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((ASSETS / "nano" / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    cut = record(["inspect", str(tmp_path)], capsys)["weights"]
    assert not cut["fits"]
    assert "cut off" in cut["summary"]
    assert record(["inspect"], capsys)["weights"] is None
