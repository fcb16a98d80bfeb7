"""What is said of a data set before it trains is what a run makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from qwen_ui.data import measure_data, measuring, mistakes_in
from qwen_ui.data.batches import load_examples
from qwen_ui.data.preview import SAMPLES, preview_data
from qwen_ui.errors import DataError


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("length", [8, 64])
def test_a_measure_counts_what_a_run_trains_on(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, packing: bool, length: int
) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"prompt": "p" * n, "completion": "c" * (1 + n % 7)} for n in range(1, 26)]
    rows += [{"text": "t" * n} for n in (1, 9, 17, 100)]
    file.write_text("\n".join(map(json.dumps, rows)))
    found = measure_data(str(file), tokenizer, length, packing=packing)
    items = load_examples(str(file), tokenizer, length, packing=packing).items
    assert found.sequences == len(items)
    assert found.tokens == sum(len(item.tokens) for item in items)
    assert found.loss_tokens == sum(item.loss_tokens for item in items)
    assert (found.samples, found.whole) == (29, True)
    assert (found.left_out > 0) == (length == 8)
    assert found.truncated == sum(
        len(item.tokens) > length
        for item in load_examples(str(file), tokenizer, 999).items
        if not any(item.where.endswith(f"line {number}") for number in range(26, 30))
    )


@pytest.mark.parametrize("words", [3, 70, 900])
def test_a_document_is_cut_into_sequences(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, words: int
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("word " * words)
    found = measure_data(str(file), tokenizer, 16)
    items = load_examples(str(file), tokenizer, 16).items
    assert found.sequences == len(items)
    assert found.tokens == sum(len(item.tokens) for item in items)
    assert found.loss_tokens == sum(item.loss_tokens for item in items)
    assert (found.truncated, found.left_out, found.whole) == (0, 0, True)


def test_of_a_large_file_the_beginning_is_measured(
    sentences: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "MEASURED_CHARACTERS", 10)
    found = measure_data(str(sentences), tokenizer, 64)
    assert not found.whole
    assert 0 < found.samples < len(load_examples(str(sentences), tokenizer, 64).items)


def test_all_mistakes_of_a_file_are_said_by_line(tmp_path: Path) -> None:
    lines = ['{"text": "fine"}', '{"text": ', '{"words": 1}', "", '{"text": "good"}', "[1", "7"]
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(lines))
    said, count = mistakes_in(str(file))
    assert count == 4
    assert [text.split(":")[0] for text in said] == [
        f"mine.jsonl, line {number}" for number in (2, 3, 6, 7)
    ]
    file.write_text("\n".join(['{"text": "fine"}'] + ["broken"] * 20))
    assert [len(mistakes_in(str(file))[0]), mistakes_in(str(file))[1]] == [5, 20]


def test_rows_of_other_forms_are_judged_too(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("question,other\nwhy?,because\nwho?,me\n")
    said, count = mistakes_in(str(table))
    assert count == 2
    assert "a.csv, line 2" in said[0] or "row" in said[0]
    assert mistakes_in(str(table), "prompt=question,completion=other") == ([], 0)
    whole = tmp_path / "a.json"
    whole.write_text('[\n{"text": "a"},\n{"txt": "b"}\n]')
    assert mistakes_in(str(whole))[1] == 1
    page = tmp_path / "b.jsonl"
    page.write_text("<html>")
    with pytest.raises(DataError, match="web page"):
        mistakes_in(str(page))


def test_a_preview_goes_on_where_it_is_asked_to(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(json.dumps({"text": f"number {n}"}) for n in range(2 * SAMPLES + 1)))
    pages = [preview_data(str(file), tokenizer, 64, first=at) for at in (0, SAMPLES, 6, 900)]
    assert [page.first for page in pages] == [0, SAMPLES, 2 * SAMPLES, 2 * SAMPLES]
    assert [page.more for page in pages] == [True, True, False, False]
    assert [len(page.sequences) for page in pages] == [SAMPLES, SAMPLES, 1, 1]
    assert pages[1].sequences[0].where.endswith(f"line {SAMPLES + 1}")
