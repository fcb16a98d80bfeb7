"""Records become token sequences with a loss mask."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from qwen_ui.data.batches import load_examples
from qwen_ui.data.counts import Counts
from qwen_ui.data.tokens import Example, pack

CHAT = [
    {"role": "user", "content": "ask"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "more"},
    {"role": "assistant", "content": "two"},
]


def write(tmp_path: Path, name: str, text: str | bytes) -> str:
    """A file with this content."""
    file = tmp_path / name
    file.write_text(text) if isinstance(text, str) else file.write_bytes(text)
    return str(file)


def text_of(tokens: Iterable[int], tokenizer: PreTrainedTokenizerFast) -> str:
    text = tokenizer.decode(list(tokens))
    assert isinstance(text, str)
    return text


def text_in_loss(example: Example, tokenizer: PreTrainedTokenizerFast) -> str:
    """The text of the tokens in the loss."""
    pairs = zip(example.tokens, example.loss_mask, strict=True)
    return text_of((token for token, in_loss in pairs if in_loss), tokenizer)


def test_only_the_assistants_turns_are_in_the_loss(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    file = write(tmp_path, "chat.jsonl", json.dumps({"messages": CHAT}))
    example = load_examples(file, tokenizer, 200).items[0]
    assert text_in_loss(example, tokenizer) == "one<|im_end|>two<|im_end|>"
    rendered = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert text_of(example.tokens, tokenizer) == rendered


def test_only_the_completion_is_in_the_loss(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    file = write(tmp_path, "a.jsonl", json.dumps({"prompt": "2+2=", "completion": "4"}))
    example = load_examples(file, tokenizer, 50).items[0]
    assert text_in_loss(example, tokenizer) == "4<|im_end|>"


def test_a_text_file_is_cut_into_sequences_that_hold_all_of_it(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    text = "abcdefghij" * 5 + "xyz"
    examples = load_examples(write(tmp_path, "a.txt", text), tokenizer, 10)
    assert "".join(text_of(e.tokens, tokenizer) for e in examples.items) == text
    assert not any(example.loss_mask[0] for example in examples.items)


def test_what_is_truncated_is_counted_and_said(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    lines = [{"prompt": "p" * 3, "completion": "c" * 9}, {"prompt": "p" * 30, "completion": "c"}]
    file = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
    examples = load_examples(file, tokenizer, 8)
    assert len(examples.items) == 1
    assert examples.notes[-1].startswith(
        "2 samples were truncated to 8 tokens, and 1 sample was left out"
    )


def test_nothing_is_said_where_nothing_was_truncated() -> None:
    assert Counts().sentence(8) == ""


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_packing_keeps_every_token_and_never_exceeds_the_length(lengths: list[int]) -> None:
    examples = [
        Example(tuple(range(n)), (False,) + (True,) * (n - 1), f"line {i}")
        for i, n in enumerate(lengths)
    ]
    packed = pack(examples, 9)
    assert [t for e in packed for t in e.tokens] == [t for e in examples for t in e.tokens]
    assert all(len(e.tokens) <= 9 for e in packed)
    assert sum(len(e.starts) for e in packed) == len(examples)
