"""JSON nested deeper than Python's own stack is a mistake of the file, wherever JSON is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from qwen_ui.data.reading import read_records
from qwen_ui.engine.delta import FORMAT, METADATA_KEY, read_delta
from qwen_ui.errors import UserError
from qwen_ui.files import MOST_DEPTH, parse_json, read_json
from qwen_ui.freeze import FreezePlan, import_plan
from qwen_ui.model import open_model
from qwen_ui.model.mistaken import adapter_sentence
from qwen_ui.model.weights.headers import read_header
from qwen_ui.runs import read_spec
from qwen_ui.ui.freeze.tab import read_value

LISTS = "[" * 100_000 + "]" * 100_000
OBJECTS = '{"a":' * 100_000 + "1" + "}" * 100_000
# json reads these; what writes them again, or walks through them, does not.
UNWRITABLE = "[" * 900 + "]" * 900


@pytest.mark.parametrize("text", [LISTS, OBJECTS, UNWRITABLE, LISTS.encode(), "[" * 100_000])
def test_deep_json_is_no_json(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"nested deeper|Expecting"):
        parse_json(text)


def test_what_is_as_deep_as_is_allowed_is_read() -> None:
    text = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert json.dumps(parse_json(text)) == text
    with pytest.raises(ValueError, match=f"nested deeper than {MOST_DEPTH} levels"):
        parse_json(f"[{text}]")


@pytest.mark.parametrize("deep", [LISTS, OBJECTS, UNWRITABLE])
def test_a_plan(deep: str) -> None:
    with pytest.raises(UserError, match="not JSON"):
        FreezePlan.from_json(deep)
    with pytest.raises(UserError, match="not JSON"):
        FreezePlan.from_json(f'{{"schema": 1, "rules": {deep}}}')
    with pytest.raises(UserError, match="not JSON"):
        import_plan(deep, open_model("nano"))


@pytest.mark.parametrize("deep", [LISTS, OBJECTS, UNWRITABLE])
def test_a_model_s_files(deep: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(f'{{"model_type": "qwen2", "x": {deep}}}')
    with pytest.raises(UserError, match="cannot be read as JSON"):
        open_model(str(tmp_path))
    header = f'{{"x": {deep}}}'.encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UserError, match="not JSON"):
        read_header(file)
    (tmp_path / "adapter_config.json").write_text(deep)
    assert "an adapter" in adapter_sentence(tmp_path)


def test_an_index_of_weights(tmp_path: Path) -> None:
    from qwen_ui.model.weights.headers import read_weights  # noqa: PLC0415

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(f'{{"weight_map": {OBJECTS}}}')
    with pytest.raises(UserError, match="cannot be read"):
        read_weights(tmp_path)


@pytest.mark.parametrize("deep", [LISTS, OBJECTS])
def test_data(deep: str, tmp_path: Path) -> None:
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    whole = tmp_path / "a.json"
    lines.write_text(f'{{"text": "x", "more": {deep}}}\n')
    whole.write_text(deep)
    table.write_text('messages\n"' + deep.replace('"', '""') + '"\n')
    for file in (lines, whole, table):
        with pytest.raises(UserError, match=r"deep|not valid JSON"):
            read_records(str(file))


def test_tools_that_are_no_list(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    turn = {"role": "user", "content": "x"}
    file.write_text(json.dumps({"messages": [turn], "tools": 5}))
    with pytest.raises(UserError, match="tools"):
        read_records(str(file))


@pytest.mark.parametrize(
    "record",
    [
        UNWRITABLE,
        json.dumps({"format": FORMAT, "base": {}, "plan": {}, "spec": [1]}),
        json.dumps({"format": FORMAT, "base": {}, "plan": 5, "spec": {}}),
    ],
)
def test_the_record_of_a_delta(record: str, tmp_path: Path) -> None:
    file = tmp_path / "delta.safetensors"
    save_file({"x": torch.zeros(1)}, file, metadata={METADATA_KEY: record})
    with pytest.raises(UserError, match="cannot be read as a delta"):
        read_delta(file)


@pytest.mark.parametrize("deep", [LISTS, OBJECTS, UNWRITABLE])
def test_our_own_files(deep: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(deep)
    assert read_json(tmp_path / "spec.json") == {}
    with pytest.raises(UserError, match=r"spec\.json"):
        read_spec(tmp_path)


def test_a_link(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not understood"):
        read_value(LISTS)


def test_the_command_line_says_one_sentence(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(OBJECTS)
    command = (sys.executable, "-m", "qwen_ui", "freeze", "nano", "--plan", str(plan))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: The plan is not JSON")
    assert "Traceback" not in done.stderr
