from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.data.batches import Examples, collate, load_examples, load_split
from qwen_ui.data.order import Order
from qwen_ui.data.records import first_records, read_records
from qwen_ui.data.tokens import Example, pack
from qwen_ui.errors import DataError

CHAT = [
    {"role": "user", "content": "ask"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "more"},
    {"role": "assistant", "content": "two"},
]


def write(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text) if isinstance(text, str) else file.write_bytes(text)
    return str(file)


def carried(example, tokenizer):
    """The text of the tokens that carry loss."""
    pairs = zip(example.tokens, example.carries, strict=True)
    return tokenizer.decode([token for token, carries in pairs if carries])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"text": "good"}\n{"text": ', "line 2"),
        ("a.jsonl", '{"text": "good"}\n{"words": "x"}', "line 2"),
        ("a.jsonl", '{"text": "good"}\n\n{"text": " "}', "line 3"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "x"}]}', "line 1.*assistant"),
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
def test_what_cannot_be_used_is_named_by_file_and_line(tmp_path, name, text, said):
    with pytest.raises(DataError, match=said) as caught:
        read_records(write(tmp_path, name, text))
    assert name in str(caught.value)


def test_line_separators_inside_a_text_end_no_line(tmp_path):
    text = "one\u2028two\x85three"
    lines = json.dumps({"text": text}, ensure_ascii=False)
    assert read_records(write(tmp_path, "a.jsonl", lines))[0].text == text
    assert read_records(write(tmp_path, "a.csv", f"text,n\n{text},1\n"))[0].text == text


def test_the_first_records_are_those_of_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr("qwen_ui.data.records.HEAD_BYTES", 100)
    lines = [json.dumps({"text": f"sample {i} é"}, ensure_ascii=False) for i in range(50)]
    file = write(tmp_path, "a.jsonl", "\n".join(lines).encode())
    assert first_records(file, 3) == read_records(file)[:3]
    assert len(first_records(file, 50)) < 50, "only the head is read"
    one_line = write(tmp_path, "b.txt", "x" * 300)
    assert first_records(one_line, 3) == read_records(one_line)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        read_records("nowhere.jsonl")


def test_only_the_assistants_turns_carry_loss(tmp_path, tokenizer):
    file = write(tmp_path, "chat.jsonl", json.dumps({"messages": CHAT}))
    example = load_examples(file, tokenizer, 200).items[0]
    assert carried(example, tokenizer) == "one<|im_end|>two<|im_end|>"
    rendered = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert tokenizer.decode(example.tokens) == rendered


def test_only_the_completion_carries_loss(tmp_path, tokenizer):
    file = write(tmp_path, "a.jsonl", json.dumps({"prompt": "2+2=", "completion": "4"}))
    example = load_examples(file, tokenizer, 50).items[0]
    assert carried(example, tokenizer) == "4<|im_end|>"


def test_a_text_file_is_cut_into_pieces_that_hold_all_of_it(tmp_path, tokenizer):
    text = "abcdefghij" * 5 + "xyz"
    examples = load_examples(write(tmp_path, "a.txt", text), tokenizer, 10)
    assert "".join(tokenizer.decode(e.tokens) for e in examples.items) == text
    assert not any(example.carries[0] for example in examples.items)


def test_what_is_cut_off_is_counted_and_said(tmp_path, tokenizer):
    lines = [{"prompt": "p" * 3, "completion": "c" * 9}, {"prompt": "p" * 30, "completion": "c"}]
    file = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
    examples = load_examples(file, tokenizer, 8)
    assert len(examples.items) == 1
    assert examples.notes[0].startswith("2 samples were cut off at 8 tokens, and 1 were left out")


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_every_kind_of_file_gives_the_same_examples(tmp_path, tokenizer, name):
    import datasets  # noqa: PLC0415  slow

    rows = [{"prompt": "say", "completion": "yes"}, {"prompt": "and", "completion": "no"}]
    file = tmp_path / name
    if name.endswith("parquet"):
        datasets.Dataset.from_list(rows).to_parquet(file)
    elif name.endswith("csv"):
        file.write_text("prompt,completion\nsay,yes\nand,no\n")
    else:
        file.write_text(json.dumps(rows))
    plain = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert (
        load_examples(str(file), tokenizer, 50).digest == load_examples(plain, tokenizer, 50).digest
    )


def test_a_datasets_folder_is_read(tmp_path, tokenizer):
    import datasets  # noqa: PLC0415  slow

    datasets.Dataset.from_list([{"text": "hello"}]).save_to_disk(tmp_path / "set")
    examples = load_examples(str(tmp_path / "set"), tokenizer, 50)
    assert tokenizer.decode(examples.items[0].tokens) == "hello<|im_end|>"


def test_the_split_holds_out_a_share_and_loses_nothing(sentences, tokenizer):
    training, held = load_split(str(sentences), None, 0.2, tokenizer, 64)
    whole = load_examples(str(sentences), tokenizer, 64)
    assert len(held.items) == 4
    assert sorted(e.tokens for e in (*training.items, *held.items)) == sorted(
        e.tokens for e in whole.items
    )


def test_labels_are_those_of_transformers(sentences, tokenizer):
    examples = load_examples(str(sentences), tokenizer, 64)
    batch = collate(examples, (0, 3), pad=0)
    for row, index in enumerate((0, 3)):
        item = examples.items[index]
        expected = [t if c else -100 for t, c in zip(item.tokens, item.carries, strict=True)]
        padded = expected + [-100] * (batch.tokens_BT.shape[1] - len(expected))
        assert batch.labels_BT[row].tolist() == padded


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_packing_keeps_every_token_and_never_exceeds_the_length(lengths):
    examples = [
        Example(tuple(range(n)), (False,) + (True,) * (n - 1), f"line {i}")
        for i, n in enumerate(lengths)
    ]
    packed = pack(examples, 9)
    assert [t for e in packed for t in e.tokens] == [t for e in examples for t in e.tokens]
    assert all(len(e.tokens) <= 9 for e in packed)
    assert sum(len(e.starts) for e in packed) == len(examples)


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40),
    batch_size=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_every_epoch_sees_every_example_once(lengths, batch_size, seed):
    examples = Examples(tuple(Example((0,) * n, (True,) * n, "") for n in lengths))
    order = Order(examples, batch_size, seed)
    places = [i for n in range(len(lengths)) for i in order.batch(n)]
    for epoch in range(batch_size):
        part = places[epoch * len(lengths) : (epoch + 1) * len(lengths)]
        assert sorted(part) == list(range(len(lengths)))
    assert Order(examples, batch_size, seed).batch(3) == order.batch(3)
