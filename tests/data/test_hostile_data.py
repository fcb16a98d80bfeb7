"""Files and templates that ask for hours, for all memory or for the process: a sentence each."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qwen_ui.data import check_within_limits, preview_within_limits
from qwen_ui.data import within_limits as module
from qwen_ui.errors import DataError, ModelError, UserError
from qwen_ui.limited import Limits
from qwen_ui.paths import ASSETS

NANO = ASSETS / "nano"
MEBIBYTE = 1024**2


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(seconds=3.0, memory=700 * MEBIBYTE, patience=60.0)
    monkeypatch.setattr(module, "READING", limits)


@contextmanager
def this_process_hardly_notices() -> Iterator[None]:
    memory, began = psutil.Process().memory_info().rss, time.process_time()
    yield
    assert time.process_time() - began < 3
    assert psutil.Process().memory_info().rss - memory < 200 * MEBIBYTE


def parquet(folder: Path, text: str, rows: int) -> str:
    """One text, stored once, in so many rows."""
    column = pa.DictionaryArray.from_arrays([0] * rows, [text])
    file = folder / "a.parquet"
    pq.write_table(pa.table({"text": column}), file, compression="zstd", store_schema=False)
    return str(file)


def test_a_small_file_of_three_gigabytes_is_read_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Arrow reserves a gibibyte of addresses before it uses them.
    monkeypatch.setattr(module, "READING", Limits(60.0, 2048 * MEBIBYTE, 200.0))
    file = parquet(tmp_path, "x" * 1_000_000, rows=3000)
    assert Path(file).stat().st_size < 100_000
    with this_process_hardly_notices():
        assert check_within_limits(file) == ()


def test_a_cell_of_300_megabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = parquet(tmp_path, "x" * 300_000_000, rows=1)
    assert Path(file).stat().st_size < 100_000
    monkeypatch.setattr(module, "READING", Limits(10.0, 400_000_000, 60.0))
    with (
        this_process_hardly_notices(),
        pytest.raises(DataError, match="needs more than 400 MB of memory"),
    ):
        check_within_limits(file)


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".csv", ".json"])
def test_a_line_of_60_megabytes_is_refused_by_its_place(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"long{ending}"
    line = b'{"text": "' + b"word " * 12_000_000 + b'"}\n'
    file.write_bytes(gzip.compress(line, 1) if ending.endswith("gz") else line)
    with pytest.raises(DataError, match=rf"long{ending}, line 1: it is longer than 32 MiB"):
        preview_within_limits(str(file), NANO, 128)


def test_of_a_packed_text_without_end_the_beginning_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.txt.gz"
    file.write_bytes(gzip.compress(b"in the beginning " * 20_000_000, 1))
    assert check_within_limits(str(file)) == ()
    assert preview_within_limits(str(file), NANO, 128).sequences[0].tokens[0].text == "in"


def test_a_conversation_of_10000_turns_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [{"role": ("user", "assistant")[i % 2], "content": f"turn {i}"} for i in range(10_000)]
    file = tmp_path / "turns.jsonl"
    file.write_text(json.dumps({"messages": turns}) + "\n")
    assert check_within_limits(str(file)) == ()
    monkeypatch.setattr(module, "READING", Limits(15.0, 700 * MEBIBYTE, 60.0))
    assert preview_within_limits(str(file), NANO, 128).sequences


def test_a_header_of_200000_columns_is_told_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    file.write_text(",".join(f"c{i}" for i in range(200_000)) + "\n" + "1," * 199_999 + "1\n")
    with pytest.raises(DataError, match="199,988 more") as caught:
        check_within_limits(str(file))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "column",
    [
        pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers()),
        pa.array([10**15], type=pa.timestamp("s")),
        pa.array([b"\xff\xfe"], type=pa.binary()),
    ],
    ids=["no UTF-8", "the year 31 million", "bytes"],
)
def test_values_that_python_does_not_have_are_told_with_their_row(
    tmp_path: Path, column: Any
) -> None:
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet, row 1"):
        check_within_limits(str(tmp_path / "a.parquet"))


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "txt", "parquet", "arrow"])
@pytest.mark.parametrize("content", ["", "\n \n\n"], ids=["empty", "blank lines"])
def test_a_file_without_anything_is_told_so(tmp_path: Path, ending: str, content: str) -> None:
    file = tmp_path / f"a.{ending}"
    file.write_text(content)
    with pytest.raises(DataError, match=r"is empty|not a readable"):
        check_within_limits(str(file))


@pytest.mark.parametrize("name", ["x" * 3000, "x" * 3000 + ".jsonl", "a\0b.jsonl", "\ud800.txt"])
def test_a_name_that_is_none_is_a_sentence(name: str) -> None:
    with pytest.raises(DataError, match="There is no file") as caught:
        check_within_limits(name)
    assert len(str(caught.value)) < 400


TEMPLATES = {
    "nested loops": "{% for a in range(99999) %}" * 2 + "{% endfor %}" * 2,
    "a formatted width": "{{ '%1000000000d' % 1 }}{{ '%2000000000d' % 1 }}",
    "a multiplied text": "{{ 'x' * 4000000000 }}",
    "loops in loops": "{% for a in messages %}" * 25 + "{% endfor %}" * 25,
    "brackets": "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "endless recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a power": "{{ 10 ** 10 ** 10 }}",
    "private": "{{ messages.__class__.__mro__ }}",
    "an attribute of nothing": "{{ messages[9].content.x.y }}",
    "generation": "{% generation %}{{ 1 / 0 }}{% endgeneration %}",
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_ends_as_a_sentence(tmp_path: Path, template: str) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(NANO / file, tmp_path / file)
    (tmp_path / "chat_template.jinja").write_text(template)
    data = tmp_path / "a.jsonl"
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    data.write_text(json.dumps({"messages": turns}) + "\n")
    with pytest.raises(UserError):
        preview_within_limits(str(data), tmp_path, 128)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "[" * 100_000, '{"model": {"type": "BPE", "vocab": 3}}', '{"version": "1.0"}'],
)
def test_a_damaged_tokenizer_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    (tmp_path / "tokenizer_config.json").write_text(text)
    with pytest.raises(ModelError, match="no tokenizer that can be read"):
        preview_within_limits(str(ASSETS / "data" / "kjv-chat.jsonl"), tmp_path, 128)
