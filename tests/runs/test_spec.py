from __future__ import annotations

import subprocess
import sys

import pytest

from qwen_ui.errors import SettingsError
from qwen_ui.runs import RunSpec, make_spec, read_spec

GIVEN = {"model": "nano", "plan": {"schema": 1, "rules": []}, "data": "x.txt"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"sequence_length": 1}, "sequence_length"),
        ({"eval_fraction": 1.0}, "eval_fraction"),
        ({"schedule": "stairs"}, "schedule"),
        ({"lerning_rate": 1.0}, "lerning_rate"),
        ({"warmup_steps": 20, "steps": 10}, "warmup_steps"),
        ({"early_stopping": 2}, "eval_every"),
    ],
)
def test_a_setting_out_of_range_is_named_in_one_sentence(values, named):
    with pytest.raises(SettingsError, match=named) as caught:
        make_spec(**{**GIVEN, **values})
    assert "\n" not in str(caught.value)


def test_a_missing_setting_is_named():
    with pytest.raises(SettingsError, match="data"):
        make_spec(model="nano", plan={})


def test_a_spec_survives_its_file(tmp_path):
    spec = make_spec(**GIVEN, steps=7, sample_prompts=("a", "b"))
    (tmp_path / "spec.json").write_text(spec.to_json())
    assert read_spec(tmp_path / "spec.json") == spec


def test_a_torn_spec_is_a_persons_message(tmp_path):
    (tmp_path / "spec.json").write_text('{"model": ')
    with pytest.raises(SettingsError, match=r"spec\.json"):
        read_spec(tmp_path / "spec.json")


def test_warm_up_is_a_tenth_of_the_steps_and_at_most_a_hundred():
    assert RunSpec(**GIVEN, steps=50).warmup == 5
    assert RunSpec(**GIVEN, steps=5000).warmup == 100


def test_reading_a_spec_imports_no_torch():
    code = "import sys, qwen_ui.runs.spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
