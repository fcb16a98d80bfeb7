"""The options of `train`."""

from __future__ import annotations

import json

import pytest

from qwen_ui.runs import SETTING_PLACES, flag_of, read_spec, run_folder, setting_field
from tests.helpers.commands import run
from tests.helpers.settings import SETTINGS


def test_every_setting_of_a_run_is_an_option_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["train", "--help"], capsys)
    assert code == 0
    # Help is wrapped at spaces and at hyphens.
    shown = "".join(out.split())
    for name in SETTING_PLACES:
        if name != "model":  # an argument
            assert f"{flag_of(name)} " in out, name
        if name not in {"model", "data", "steps"}:  # `train` says these in its own words
            assert "".join((setting_field(name).description or "").split()) in shown, name


def test_options_are_settings_and_former_names_still_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--steps", "1", "--data", SETTINGS["data"], "--eval-data", SETTINGS["eval_data"]]
    options += ["--accumulation", "2", "--early-stopping", "3", "--eval-fraction", "0.2"]
    options += [
        "--prefix-cache",
        "off",
        "--eval-every",
        "1",
        "--sample-prompt",
        "a",
        "--sample-prompt",
        "b",
    ]
    options += ["--sequence-length", "32", "--batch-size", "2", "--sample-tokens", "0"]
    code, out, _ = run(["train", "nano", "--preset", "bitfit", *options, "--json"], capsys)
    assert code == 0
    spec = read_spec(run_folder(json.loads(out)["run"]))
    assert spec.optimization.gradient_accumulation_steps == 2
    assert spec.evaluation.early_stopping_patience == 3
    assert spec.data.validation_split == 0.2
    assert spec.resources.prefix == "off"
    assert spec.evaluation.sample_prompts == ("a", "b")


def test_a_former_name_is_no_option_that_help_shows(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(["train", "--help"], capsys)
    assert "--accumulation" not in out
    code, _, err = run(["train", "nano", "--no-such-option", "1"], capsys)
    assert code == 2
    assert "--no-such-option" in err


def test_what_is_never_held_is_said_before_the_launch(
    short_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "nano", "--preset", "bitfit", "--data", short_text, "--steps", "1"]
    arguments += ["--sequence-length", "32", "--sample-tokens", "0", "--prefix", "stream"]
    code, out, err = run([*arguments, "--json"], capsys)
    assert code == 0, err
    assert json.loads(out)["status"] == "completed"
    before, _, _ = err.partition("\n")
    assert before.startswith("Note: 18.9 MB of weights are read once and never held; 5.25 MB stay.")
