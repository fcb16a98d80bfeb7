"""What takes part in a comparison, by its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.compare import Contender, parse_plans, parse_rates
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import preset


def test_unknown_names_are_refused() -> None:
    with pytest.raises(PlanError, match="neither a preset"):
        parse_plans("attention,magic")


def test_a_plan_file_takes_part(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(preset("norms").model_copy(update={"name": ""}).to_json())
    assert [plan.name for plan in parse_plans(f"bitfit,{file}", "last:2")] == [
        "bitfit on last:2",
        "mine",
    ]


def test_lora_takes_part_under_a_name_of_its_own() -> None:
    plan, lora = parse_plans("attention, lora", "last:2")
    assert isinstance(lora, Contender)
    assert lora.lora_rank > 0
    assert (plan.name, lora.name) == ("attention on last:2", "attention on last:2 by LoRA")


def test_rates_are_listed_by_commas() -> None:
    assert parse_rates("1e-3,,0.01") == [1e-3, None, 1e-2]
    assert parse_rates(None) == parse_rates("") == []
    with pytest.raises(SettingsError, match="is not a list of learning rates"):
        parse_rates("fast")
