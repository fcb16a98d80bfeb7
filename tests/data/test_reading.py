"""Files of every form become records; what cannot be used is named by file and line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow
import pytest

from qwen_ui.data.reading import check_data, read_records, shipped_data
from qwen_ui.errors import DataError
from qwen_ui.paths import ASSETS


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
        ("a.jsonl", '\n{"text": " "}', "line 2.*empty"),
        ("a.jsonl", '{"text": \n{"text": "b"}', "line 1"),
        ("a.json", '[\n{"text": "x"},\n{"text" "y"}\n]', "line 3"),
        (
            "a.jsonl",
            '{"role": "user", "content": "x"}\n{"role": "assistant", "content": "x"}',
            "turn",
        ),
        ("a.jsonl", '{"text": "\\ud83d"}', "line 1.*half"),
        ("a.jsonl", '{"text": "x"}\n{"text": ' + "[" * 200_000, "line 2.*deeply"),
        ("a.jsonl", '{"conversations": [{"from": "narrator", "value": "x"}]}', "turn 1.*narrator"),
        ("a.jsonl", '{"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}', "0.5"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "x"}]}', "line 1.*assistant"),
        ("a.jsonl", '{"messages": [{"role": "assistant"}]}', "turn 1"),
        ("a.jsonl", '{"prompt": "x"}', "completion"),
        ("a.json", '[{"text": "x"}, 3]', "sample 2"),
        ("a.csv", "text,other\nfine,1\n2\n", "line 3.*1 cells"),
        ("a.csv", 'text,other\n"fine,1\nx,2\n', "line 2.*quotes"),
        ("a.csv", "text,text\nfine,1\n", "line 1.*twice"),
        ("a.csv", "frage,antwort\nfine,1\n", "line 2.*frage.*antwort"),
        ("a.txt", b"fine\nfine\n\xff\xfe", "line 3.*UTF-8"),
        ("a.txt", "", "empty"),
        ("a.jsonl", "\n\n", "no samples"),
        ("a.csv", "text,other\n", "no samples"),
        ("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "LFS pointer"),
        ("a.csv", "<!DOCTYPE html>\n<html>", "web page"),
        ("a.jsonl", b"PK\x03\x04rest", "zip"),
        ("a.jsonl", b"PAR1rest", "Let its name end in .parquet"),
        ("a.jsonl", gzip.compress(b'{"text": "x"}', mtime=0), "Let its name end in .gz"),
        ("a.jsonl.gz", b'{"text": "x"}', "unpacked"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "x"}' * 99, mtime=0)[:30], "unpacked"),
        ("a.parquet", b"not one", "Parquet"),
        ("a.parquet.gz", b"", "not supported"),
        ("a.jsonl", b"\x00\x01\x02", "not text"),
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
    assert read_records(write(tmp_path, "a.jsonl", lines)).records[0].text == text
    assert read_records(write(tmp_path, "a.csv", f"text,n\n{text},1\n")).records[0].text == text


def test_no_more_is_read_than_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({"text": f"sample {i}"}) for i in range(50)]
    file = write(tmp_path, "a.jsonl", "\n".join([*lines, "{broken"]))
    assert [r.text for r in read_records(file, most=2).records] == ["sample 0", "sample 1"]
    with pytest.raises(DataError, match="line 51"):
        read_records(file)
    monkeypatch.setattr("qwen_ui.data.files.HEAD_BYTES", 100)
    (head,) = read_records(write(tmp_path, "a.txt", "word\n" * 100), most=3).records
    assert head.text == "word\n" * 20
    one_line = write(tmp_path, "b.txt", "x" * 300)
    assert read_records(one_line, most=3).records[0].text == "x" * 100
    cut = write(tmp_path, "c.txt", "x" + "\N{GRINNING FACE}" * 300)
    assert read_records(cut, most=3).records[0].text == "x" + "\N{GRINNING FACE}" * 24
    short = write(tmp_path, "d.txt", "\N{GRINNING FACE}" * 25)
    assert read_records(short, most=3) == read_records(short)


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
    found = [(record.prompt, record.completion) for record in read_records(str(file)).records]
    assert found == [("say", "yes"), ("and", "no")]


def test_a_datasets_folder_is_read(tmp_path: Path) -> None:
    datasets.Dataset.from_list([{"text": "hello"}]).save_to_disk(tmp_path / "set")
    (record,) = read_records(str(tmp_path / "set")).records
    assert record.text == "hello"


PAIR = {"prompt": "say", "completion": "yes"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"prompt": "say", "completion": "yes"}\n{"prompt": "and", "completion": "no"}'),
        (
            "a.jsonl",
            '[{"prompt": "say", "completion": "yes"},\n{"prompt":"and","completion":"no"}]',
        ),
        (
            "a.json",
            '{"data": [{"prompt": "say", "completion": "yes"},'
            ' {"prompt": "and", "completion": "no"}], "version": 1}',
        ),
        (
            "a.json",
            '{"items": [{"prompt": "say", "completion": "yes"},'
            ' {"prompt": "and", "completion": "no"}]}',
        ),
        ("a.json", '{"prompt": ["say", "and"], "completion": ["yes", "no"]}'),
        ("a.json", '{"prompt": {"0": "say", "1": "and"}, "completion": {"0": "yes", "1": "no"}}'),
        ("a.csv", "prompt;completion\nsay;yes\nand;no\n"),
        ("a.csv", "sep=;\nprompt;completion\nsay;yes\nand;no\n"),
        ("a.csv", "Prompt, Completion\nsay,yes\nand,no\n"),
        ("a.csv", 'prompt, completion\n"say", "yes"\nand, no\n'),
        ("a.csv", "id|PROMPT|COMPLETION \n1|say|yes\n2|and|no\n"),
        ("a.csv", b"\xef\xbb\xbfprompt,completion\r\nsay,yes\r\nand,no\r\n"),
        ("a.csv", "prompt,completion\nsay,yes\nand,no\n".encode("utf-16")),
        ("a.tsv", "prompt\tcompletion\nsay\tyes\nand\tno\n"),
    ],
)
def test_the_forms_that_people_have(tmp_path: Path, name: str, content: str | bytes) -> None:
    found = read_records(write(tmp_path, name, content)).records
    assert [(r.prompt, r.completion) for r in found] == [("say", "yes"), ("and", "no")]


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: bytes(pyarrow.compress(data, codec="zstd", asbytes=True)),
}


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize(
    ("name", "text"), [("a.jsonl", json.dumps(PAIR)), ("a.csv", "prompt,completion\nsay,yes\n")]
)
def test_compressed_files_are_unpacked(tmp_path: Path, name: str, text: str, suffix: str) -> None:
    pack = PACKERS[suffix]
    loaded = read_records(write(tmp_path, name + suffix, pack(text.encode())))
    assert loaded.records[0].completion == "yes"
    assert loaded.records[0].where.startswith(f"{name}{suffix}, line")


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    for name, text in [("a.jsonl", json.dumps(PAIR)), ("a.json", json.dumps([PAIR]))]:
        file = write(tmp_path, name, b"\xef\xbb\xbf" + text.encode())
        assert read_records(file).records[0].prompt == "say"
    assert read_records(write(tmp_path, "a.txt", b"\xef\xbb\xbfhi")).records[0].text == "hi"


def test_an_arrow_file_is_read(tmp_path: Path) -> None:
    datasets.Dataset.from_list([PAIR]).save_to_disk(tmp_path / "set")
    (file,) = (tmp_path / "set").glob("*.arrow")
    assert read_records(str(file)).records[0].completion == "yes"


def test_keys_that_columns_add_are_taken_away(tmp_path: Path) -> None:
    calls = [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "assistant", "content": "done"},
    ]
    file = tmp_path / "a.parquet"
    datasets.Dataset.from_list([{"messages": turns}]).to_parquet(file)
    assert read_records(str(file)).records[0].messages == tuple(turns)


def test_a_split_that_is_not_used_is_said(tmp_path: Path) -> None:
    part = datasets.Dataset.from_list([{"text": "hello"}])
    datasets.DatasetDict({"test": part, "train": part}).save_to_disk(tmp_path / "set")
    assert read_records(str(tmp_path / "set")).notes == (
        "Of 'set' the split 'train' is used; not used: test.",
    )


def test_what_is_blank_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{"text": "a"}, {"text": ""}, {"text": " "}, {"messages": []}]
    file = write(tmp_path, "a.jsonl", "\n".join(json.dumps(row) for row in rows))
    loaded = read_records(file)
    assert [record.text for record in loaded.records] == ["a"]
    assert loaded.notes == (
        '2 samples were left out: "text" is empty (the first: a.jsonl, line 2).',
        "1 sample was left out: the conversation is empty (a.jsonl, line 4).",
    )
    assert check_data(file) == loaded.notes


def test_hub_ids_may_have_a_dot() -> None:
    with pytest.raises(DataError, match="hub dataset"):
        read_records("teknium/OpenHermes-2.5")
    with pytest.raises(DataError, match="no file"):
        read_records("folder/a.jsonl")


@pytest.mark.parametrize("name", ["a" * 300, "~nosuchuser/x", "x/\0y", "a/" + "b" * 5000])
def test_what_can_be_no_name_is_a_sentence(name: str) -> None:
    with pytest.raises(DataError) as caught:
        read_records(name)
    assert len(str(caught.value)) < 500


def test_shipped_data_have_names_and_own_files_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [file for file in (ASSETS / "data").iterdir() if file.suffix != ".md"]
    assert shipped_data() == {file.stem: file for file in files}
    assert "kjv-train" in shipped_data()
    monkeypatch.chdir(tmp_path)
    assert read_records("kjv-chat").records == read_records(str(shipped_data()["kjv-chat"])).records
    (tmp_path / "kjv-chat").mkdir()
    with pytest.raises(DataError, match="folder 'kjv-chat'"):
        read_records("kjv-chat")
    with pytest.raises(DataError, match=r"shipped are .*kjv-chat, kjv-eval, kjv-train"):
        read_records("kjv")
