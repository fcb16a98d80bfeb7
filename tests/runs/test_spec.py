from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from qwen_ui.errors import SettingsError
from qwen_ui.runs.former_settings import FORMER_SETTINGS
from qwen_ui.runs.spec import (
    SETTING_PLACES,
    SPEC_NAME,
    RunSpec,
    flat_settings,
    make_spec,
    parse_spec,
    read_spec,
    recorded_settings,
    setting_field,
    setting_label,
)

GIVEN: dict[str, Any] = {"model": "nano", "plan": {"schema": 1, "rules": []}, "data": "x.txt"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"sequence_length": 1}, "sequence_length"),
        ({"validation_split": 1.0}, "validation_split"),
        ({"schedule": "stairs"}, "schedule"),
        ({"model": ""}, "'model'"),
        ({"data": 5}, "'data'"),
        ({"sample_prompts": [1]}, "sample_prompts"),
        ({"lerning_rate": 1.0}, "lerning_rate"),
        ({"optimization": {"steps": 5}}, "optimization"),
        ({"warmup_steps": 20, "steps": 10}, "warmup_steps"),
        ({"early_stopping_patience": 2}, "eval_every"),
        ({"lora_rank": 8, "sharded": True}, "sharded"),
    ],
)
def test_a_setting_out_of_range_is_named_in_one_sentence(
    values: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        make_spec(**{**GIVEN, **values})
    assert "\n" not in str(caught.value)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="'data' is missing"):
        make_spec(model="nano", plan={})


def test_no_two_settings_have_one_flat_name() -> None:
    groups = [field.annotation for field in RunSpec.model_fields.values()]
    fields = [
        list(group.model_fields)
        for group in groups
        if isinstance(group, type) and issubclass(group, BaseModel)
    ]
    assert len(SETTING_PLACES) == sum(map(len, fields))
    assert set(FORMER_SETTINGS.values()) <= SETTING_PLACES.keys()
    assert not FORMER_SETTINGS.keys() & SETTING_PLACES.keys()


def test_every_setting_has_a_sentence_and_a_label() -> None:
    for name in SETTING_PLACES:
        assert (setting_field(name).description or "").endswith("."), name
        assert setting_label(name)[0].isupper(), name


def test_a_spec_survives_its_file_and_its_flat_names(tmp_path: Path) -> None:
    spec = make_spec(**GIVEN, steps=7, sample_prompts=("a", "b"), trackers=("wandb",))
    (tmp_path / SPEC_NAME).write_text(json.dumps(spec.to_dict()))
    assert read_spec(tmp_path) == spec
    assert make_spec(**spec.flat()) == spec
    assert make_spec(**recorded_settings(tmp_path)) == spec


def test_a_change_is_checked_and_leaves_the_rest() -> None:
    spec = make_spec(**GIVEN, steps=7)
    assert spec.changed(batch_size="3") == make_spec(**GIVEN, steps=7, batch_size=3)
    with pytest.raises(SettingsError, match="batch_size"):
        spec.changed(batch_size="many")


def test_a_spec_of_former_names_is_read() -> None:
    former = {"accumulation": 2, "early_stopping": 3, "eval_fraction": 0.1, "rate_test": True}
    spec = parse_spec({**GIVEN, **former, "eval_every": 5})
    assert spec.optimization.gradient_accumulation_steps == 2
    assert spec.evaluation.early_stopping_patience == 3
    assert spec.data.validation_split == 0.1
    assert spec.optimization.learning_rate_finder


def test_a_spec_of_version_2_is_read_with_its_name_of_the_prefix(tmp_path: Path) -> None:
    spec = make_spec(**GIVEN, prefix="off", seed=3)
    record = {**spec.to_dict(), "schema": 2}
    record["resources"]["prefix_cache"] = record["resources"].pop("prefix")
    (tmp_path / SPEC_NAME).write_text(json.dumps(record))
    assert read_spec(tmp_path) == spec
    assert recorded_settings(tmp_path) == {**flat_settings(record), "prefix": "off"}
    assert make_spec(**recorded_settings(tmp_path)) == spec


def test_a_run_of_a_former_version_goes_on_as_it_did() -> None:
    record = {**make_spec(**GIVEN).to_dict(), "schema": 2}
    del record["evaluation"]["eval_tokens"]
    assert parse_spec(record).evaluation.eval_tokens == 0
    assert parse_spec(GIVEN).evaluation.eval_tokens == 0
    assert make_spec(**GIVEN).evaluation.eval_tokens > 0


def test_a_program_may_give_a_former_name_but_not_both() -> None:
    assert make_spec(**GIVEN, prefix_cache="off") == make_spec(**GIVEN, prefix="off")
    with pytest.raises(SettingsError, match="'prefix_cache' is the former name of 'prefix'"):
        make_spec(**GIVEN, prefix_cache="off", prefix="keep")


def test_a_spec_of_a_later_version_is_refused_and_its_settings_still_listed() -> None:
    later = {**make_spec(**GIVEN).to_dict(), "schema": 4, "model": {"source": "m", "new": 1}}
    with pytest.raises(SettingsError, match="version 4"):
        parse_spec(later)
    assert flat_settings(later)["model"] == "m"


@pytest.mark.parametrize("text", ['{"model": ', "[]"])
def test_a_torn_spec_is_a_persons_message(tmp_path: Path, text: str) -> None:
    (tmp_path / SPEC_NAME).write_text(text)
    with pytest.raises(SettingsError, match=r"spec\.json"):
        read_spec(tmp_path)
    assert recorded_settings(tmp_path) == {}


def test_warmup_is_a_tenth_of_the_steps_and_at_most_a_hundred() -> None:
    assert make_spec(**GIVEN, steps=50).optimization.warmup == 5
    assert make_spec(**GIVEN, steps=5000).optimization.warmup == 100


def test_reading_a_spec_imports_no_torch() -> None:
    code = "import sys, qwen_ui.runs.spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
