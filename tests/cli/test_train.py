"""The options of `train`."""

from __future__ import annotations

import pytest

from qwen_ui.runs import RunSpec
from tests.helpers.commands import run


def test_every_setting_of_a_run_is_an_option_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["train", "--help"], capsys)
    assert code == 0
    for name, field in RunSpec.model_fields.items():
        flag = {"sample_prompts": "sample-prompt", "trackers": "tracker"}.get(name, name)
        assert f"--{flag.replace('_', '-')} " in out or name == "model", name
        assert field.description, name
