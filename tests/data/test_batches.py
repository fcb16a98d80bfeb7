"""Examples are split and put side by side in batches."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from qwen_ui.data.batches import collate, load_examples
from qwen_ui.data.split import load_split


def test_the_split_holds_out_a_share_and_loses_nothing(
    sentences: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    training, held = load_split(str(sentences), None, 0.2, tokenizer, 64)
    whole = load_examples(str(sentences), tokenizer, 64)
    assert len(held.items) == 4
    assert sorted(e.tokens for e in (*training.items, *held.items)) == sorted(
        e.tokens for e in whole.items
    )


def test_labels_are_those_of_transformers(
    sentences: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    examples = load_examples(str(sentences), tokenizer, 64)
    batch = collate(examples, (0, 3), pad=0)
    for row, index in enumerate((0, 3)):
        item = examples.items[index]
        expected = [t if c else -100 for t, c in zip(item.tokens, item.loss_mask, strict=True)]
        padded = expected + [-100] * (batch.tokens_BT.shape[1] - len(expected))
        assert batch.labels_BT[row].tolist() == padded
