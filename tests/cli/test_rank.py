"""`rank` on the command line."""

from __future__ import annotations

import json

import pytest

from tests.helpers.commands import run


def test_rank_prints_a_score_for_every_block_and_the_top_ones(
    short_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["rank", "nano", "--data", short_text, "--method", "activation"]
    sizes = ["--sequences", "2", "--sequence-length", "32", "--top", "3"]
    code, out, err = run([*arguments, *sizes, "--json"], capsys)
    assert code == 0
    found = json.loads(out)
    scores = [block["score"] for block in found["blocks"]]
    assert [block["index"] for block in found["blocks"]] == list(range(28))
    assert found["top"] == sorted(range(28), key=lambda i: -scores[i])[:3]
    assert "rank by activation" in err
    assert "the highest blocks are" in run([*arguments, *sizes], capsys)[1]
