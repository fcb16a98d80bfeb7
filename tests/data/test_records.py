"""Files of every form become records; what cannot be used is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from qwen_ui.data.records import first_records, read_records
from qwen_ui.errors import DataError


def write(tmp_path: Path, name: str, text: str | bytes) -> str:
    """A file with this content."""
    file = tmp_path / name
    file.write_text(text) if isinstance(text, str) else file.write_bytes(text)
    return str(file)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"text": "good"}\n{"text": ', "line 2"),
        ("a.jsonl", '{"text": "good"}\n{"words": "x"}', "line 2"),
        ("a.jsonl", '{"text": "good"}\n\n{"text": " "}', "line 3"),
        ("a.jsonl", '{"messages": [{"role": "assistant"}]}', "turn 1"),
        ("a.jsonl", '{"prompt": "x"}', "completion"),
        ("a.json", '[{"text": "x"}, 3]', "sample 2"),
        ("a.csv", "text,other\nfine,1\n,2\n", "line 3"),
        ("a.txt", b"fine\nfine\n\xff\xfe", "line 3.*UTF-8"),
        ("a.txt", "", "empty"),
        ("a.jsonl", "\n\n", "no samples"),
        ("a.xml", "<x/>", "xml"),
    ],
)
def test_what_cannot_be_used_is_named_by_file_and_line(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_records(write(tmp_path, name, text))
    assert name in str(caught.value)


def test_line_separators_inside_a_text_end_no_line(tmp_path: Path) -> None:
    text = "one\u2028two\x85three"
    lines = json.dumps({"text": text}, ensure_ascii=False)
    assert read_records(write(tmp_path, "a.jsonl", lines))[0].text == text
    assert read_records(write(tmp_path, "a.csv", f"text,n\n{text},1\n"))[0].text == text


def test_the_first_records_are_those_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_ui.data.records.HEAD_BYTES", 100)
    lines = [json.dumps({"text": f"sample {i} é"}, ensure_ascii=False) for i in range(50)]
    file = write(tmp_path, "a.jsonl", "\n".join(lines).encode())
    assert first_records(file, 3) == read_records(file)[:3]
    assert len(first_records(file, 50)) < 50, "only the head is read"
    one_line = write(tmp_path, "b.txt", "x" * 300)
    assert first_records(one_line, 3) == read_records(one_line)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        read_records("nowhere.jsonl")


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_every_kind_of_file_gives_the_same_records(tmp_path: Path, name: str) -> None:
    rows = [{"prompt": "say", "completion": "yes"}, {"prompt": "and", "completion": "no"}]
    file = tmp_path / name
    if name.endswith("parquet"):
        datasets.Dataset.from_list(rows).to_parquet(file)
    elif name.endswith("csv"):
        file.write_text("prompt,completion\nsay,yes\nand,no\n")
    else:
        file.write_text(json.dumps(rows))
    found = [(record.prompt, record.completion) for record in read_records(str(file))]
    assert found == [("say", "yes"), ("and", "no")]


def test_a_datasets_folder_is_read(tmp_path: Path) -> None:
    datasets.Dataset.from_list([{"text": "hello"}]).save_to_disk(tmp_path / "set")
    (record,) = read_records(str(tmp_path / "set"))
    assert record.text == "hello"
