"""The preview shows the sequences that a run would train on."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from qwen_ui.data.batches import load_examples
from qwen_ui.data.preview import SAMPLES, preview_data
from qwen_ui.data.split import load_split
from qwen_ui.errors import DataError


def test_the_first_sequences_are_those_of_a_run(
    sentences: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    shown = preview_data(str(sentences), tokenizer, 64).sequences
    items = load_examples(str(sentences), tokenizer, 64).items[:SAMPLES]
    assert [len(sequence.tokens) for sequence in shown] == [len(item.tokens) for item in items]
    assert [s.loss_tokens for s in shown] == [item.loss_tokens for item in items]
    assert [s.where for s in shown] == [item.where for item in items]


def test_bytes_that_are_no_text_are_shown_by_name(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": "é"}, ensure_ascii=False), encoding="utf-8")
    (sequence,) = preview_data(str(file), tokenizer, 8).sequences
    first, second, end = (token.text for token in sequence.tokens)
    assert "\N{REPLACEMENT CHARACTER}" not in first + second
    assert end == tokenizer.eos_token


def test_packed_samples_are_marked_where_they_start(
    sentences: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    sequence = preview_data(str(sentences), tokenizer, 64, packing=True).sequences[0]
    marks = [place for place, token in enumerate(sequence.tokens) if token.starts_sample]
    packed = load_examples(str(sentences), tokenizer, 64, packing=True).items[0]
    assert tuple(marks) == packed.starts[1:]


def test_what_is_truncated_is_said(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"prompt": "p", "completion": "c" * 50}))
    assert (
        preview_data(str(file), tokenizer, 8).notes[-1].startswith("Of the first 1: 1 sample was")
    )
    assert "Of the first" not in " ".join(preview_data(str(file), tokenizer, 80).notes)


def test_what_was_taken_for_what_is_said(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"Question": "p", "Answer": "c", "id": 3}))
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = None
    taken = "Columns: Question -> prompt, Answer -> completion; not used: id."
    assert preview_data(str(file), tokenizer, 80).notes == (taken,)
    assert load_examples(str(file), tokenizer, 80).notes == (taken,)
    tokenizer.chat_template = "{{ messages[0].content }}"
    assert (
        preview_data(str(file), tokenizer, 80)
        .notes[1]
        .startswith("Prompts and completions are used as plain text; give `messages`")
    )


def test_evaluation_data_is_read_by_hand_where_it_has_the_columns(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    training, same, other = (tmp_path / f"{name}.jsonl" for name in ("a", "b", "c"))
    for file in (training, same):
        file.write_text(json.dumps({"q": "1", "a": "2"}))
    other.write_text(json.dumps({"text": "3"}))
    for held_out in (same, other):
        parts = load_split(
            str(training), str(held_out), 0.1, tokenizer, 80, columns="prompt=q,completion=a"
        )
        assert [len(part.items) for part in parts] == [1, 1]
    with pytest.raises(DataError, match="no column"):
        load_split(str(other), None, 0.5, tokenizer, 80, columns="prompt=q,completion=a")
