"""Which samples are held out: the data and the split seed decide, nothing else."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from qwen_ui.data.records import Record
from qwen_ui.data.split import held_out_count, load_split, overlap_note, split_records
from qwen_ui.errors import DataError

TEXTS = st.lists(st.sampled_from([f"text {n}" for n in range(30)]), min_size=2, max_size=60)


def records_of(texts: list[str]) -> list[Record]:
    return [Record(f"x, line {n}", text=text) for n, text in enumerate(texts, start=1)]


def texts_of(records: list[Record]) -> set[str]:
    return {record.text for record in records}


@given(texts=TEXTS, share=st.none() | st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_nothing_is_lost_and_no_text_is_on_both_sides(
    texts: list[str], share: float | None, seed: int
) -> None:
    records = records_of(texts)
    if len(set(texts)) < 2:
        with pytest.raises(DataError, match="all alike"):
            split_records(records, share, seed, "x")
        return
    training, held_out = split_records(records, share, seed, "x")
    assert training
    assert held_out
    assert sorted(r.where for r in (*training, *held_out)) == sorted(r.where for r in records)
    assert not texts_of(training) & texts_of(held_out)


@given(texts=TEXTS, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_data_does_not_matter(texts: list[str], shuffle: random.Random) -> None:
    if len(set(texts)) < 2:
        return
    other = list(texts)
    shuffle.shuffle(other)
    sides = [texts_of(split_records(records_of(t), 0.3, 0, "x")[1]) for t in (texts, other)]
    assert sides[0] == sides[1]


def test_another_split_seed_holds_out_others() -> None:
    records = records_of([f"text {n}" for n in range(100)])
    sides = {frozenset(texts_of(split_records(records, 0.2, seed, "x")[1])) for seed in range(5)}
    assert len(sides) == 5


def test_how_many_are_held_out_by_default() -> None:
    counts = {2: 1, 3: 1, 10: 2, 60: 12, 300: 60, 1000: 60, 2000: 100, 8000: 400, 10**6: 400}
    assert {count: held_out_count(count, None) for count in counts} == counts
    assert held_out_count(60, 0.05) == 3
    assert held_out_count(2, 0.99) == 1


def test_one_sample_cannot_be_split(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"text": "only"}))
    with pytest.raises(DataError, match="holds one sample"):
        load_split(str(file), None, None, tokenizer, 16)


def test_evaluation_data_that_was_trained_on_is_said(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    for name, numbers in (("train", range(8)), ("eval", range(6, 10))):
        lines = [json.dumps({"text": f"sample number {n}"}) for n in numbers]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    files = str(tmp_path / "train.jsonl"), str(tmp_path / "eval.jsonl")
    _, evaluation = load_split(*files, None, tokenizer, 16)
    assert any("2 of the 4 held-out samples" in note for note in evaluation.notes)


def test_a_text_that_overlaps_is_said() -> None:
    line = "a line that is long enough not to be equal to another by chance\n"
    document = Record("a.txt", text=line + "more\n" + line.upper(), is_document=True)
    same = Record("b.txt", text="other\n" + line, is_document=True)
    assert "1 of the 1 longer lines" in overlap_note([document], [same])
    assert overlap_note([document], [Record("c.txt", text="other\n", is_document=True)]) == ""
