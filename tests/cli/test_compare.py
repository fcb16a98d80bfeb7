"""`compare` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.compare import write_seal
from qwen_ui.compare.seal import ComparisonSeal, closed, read_seal
from tests.helpers.commands import SHORT, parsed, record, run


@pytest.mark.slow
def test_compare_prints_runs_rows_and_the_verdict(
    short_text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal = tmp_path / "verdict.json"
    arguments = ["compare", "nano", "--plans", "attention,bitfit", *SHORT, "--keep", short_text]
    arguments += ["--seal", str(seal)]
    code, out, err = run([*arguments, "--eval-data", short_text, "--json"], capsys)
    assert code == 0
    found = json.loads(out)
    assert [r["status"] for r in found["runs"]] == ["completed", "completed"]
    assert all(len(r["losses"]) == 3 and r["prefix_blocks"] == 24 for r in found["runs"])
    assert [row["trainable"] for row in found["rows"]] == [197_632, 1_024]
    assert "on one seed" in found["verdict"]
    for row, told in zip(found["rows"], found["runs"], strict=True):
        risen = told["keep_loss_after"] - told["keep_loss_before"]
        assert row["forgetting"] == row["forgets"]["0"] == risen
        assert row["kl"] == told["kl"] > 0
    more = found["paired"]["forgetting"]
    assert abs(more["mean"]) == abs(found["rows"][0]["forgetting"] - found["rows"][1]["forgetting"])
    assert not more["decided"]
    assert [search["status"] for search in found["rate_searches"]] == ["completed", "completed"]
    for search, row in zip(found["rate_searches"], found["rows"], strict=True):
        assert search["rate"] in (row["learning_rate"], None)
    assert f"comparison {found['comparison']}" in err
    check_seal(seal, found, capsys)


def check_seal(seal: Path, found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict's file has what the command told, and each run of it is replayed by its bits."""
    told = record(["ship", str(seal)], capsys)
    assert told["verdict"] == found["verdict"]
    assert [one["run"] for one in told["runs"]] == [one["run"] for one in found["runs"]]
    assert told["held_against_folder"]
    code, _, err = run(["ship", str(seal), "--replay"], capsys)
    assert (code, "name one of its runs" in err) == (2, True)
    code, out, _ = run(["ship", str(seal), "--min-gain", "50", "--json"], capsys)
    assert (code, len(json.loads(out)["reasons"])) == (3, 2)
    # Its rate was found by another run.
    assert record(["ship", found["runs"][0]["run"], "--replay"], capsys)["replay"]["same"]
    sealed = read_seal(seal)
    assert isinstance(sealed, ComparisonSeal)
    write_seal(seal, closed(sealed.model_copy(update={"verdict": "All are best."})))
    code, _, err = run(["ship", str(seal)], capsys)
    assert (code, "another verdict" in err) == (2, True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], "auto"), (["--prefix", "stream"], "stream"), (["--prefix-cache", "off"], "off")],
)
def test_the_prefix_by_its_present_and_its_former_name(given: list[str], expected: str) -> None:
    required = ["compare", "nano", "--plans", "attention,bitfit", "--data", "x", "--steps", "1"]
    assert parsed([*required, *given])["prefix"] == expected


def test_a_prefix_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    required = ["compare", "nano", "--plans", "attention,bitfit", "--data", "x", "--steps", "1"]
    code, _, err = run([*required, "--prefix", "river"], capsys)
    assert (code, "stream" in err) == (2, True)
