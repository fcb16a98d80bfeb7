"""`compare` on the command line."""

from __future__ import annotations

import json

import pytest

from tests.helpers.commands import SHORT, run


@pytest.mark.slow
def test_compare_prints_runs_rows_and_the_verdict(
    short_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", "nano", "--plans", "attention,bitfit", *SHORT, "--keep", short_text]
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
