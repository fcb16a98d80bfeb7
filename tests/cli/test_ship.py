"""`train --seal` and `ship` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.commands import record, run


def test_train_seals_and_ship_exits_with_0_2_or_3(
    tiny: Path,
    sentences: Path,
    tmp_path: Path,
    forked_workers: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seal = tmp_path / "seal.json"
    arguments = ["train", str(tiny), "--preset", "attention", "--data", str(sentences)]
    arguments += ["--keep", str(sentences), "--steps", "3", "--learning-rate", "0.01"]
    arguments += ["--sequence-length", "48", "--sample-tokens", "0"]
    told = record([*arguments, "--seal", str(seal)], capsys)
    limits = ["--min-gain", "-9", "--max-forgetting", "9"]
    for named in (told["run"], str(seal)):
        found = record(["ship", named, *limits], capsys)
        assert found["passed"]
        assert found["gain"] == pytest.approx(told["eval_loss_before"] - told["eval_loss_after"])
        assert found["kl"] == pytest.approx(told["kl"])
        assert found["price_taken"]["peak_bytes"] == told["peak_bytes"]
    code, out, _ = run(["ship", str(seal), "--min-gain", "9"], capsys)
    assert code == 3
    assert "Not to be shipped: the gain is" in out
    code, out, _ = run(["ship", told["run"], "--max-forgetting", "-9", "--json"], capsys)
    assert (code, json.loads(out)["passed"]) == (3, False)
    found = record(["ship", str(seal), "--replay"], capsys)
    assert found["replay"]["same"]
    assert found["replay"]["run"] != told["run"]
    delta = Path(told["delta"])
    delta.write_bytes(delta.read_bytes()[:-1] + b"?")
    for named in (told["run"], str(seal)):
        code, out, err = run(["ship", named, *limits], capsys)
        assert (code, out) == (2, "")
        assert "'delta.safetensors' of the run" in err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seal", "no/such/folder/x.json"], "No seal can be written"),
        (["--seal", "x.json", "--learning-rate-finder"], "trains nothing that could be sealed"),
    ],
)
def test_a_seal_that_cannot_be_is_refused_before_training(
    more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "nano", "--preset", "bitfit", "--data", "kjv-train", "--steps", "1"]
    code, _, err = run([*arguments, *more], capsys)
    assert code == 2
    assert words in err
