"""Blocks fold where they are built alike, and only there."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import Gemma3TextConfig

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.folding import find_folds, ranges, short_ranges


def test_identical_blocks_are_one_row_that_says_so(qwen: Anatomy) -> None:
    (fold,) = find_folds(qwen)
    assert fold.label == "0-27 · 28 × Qwen2DecoderLayer"
    assert fold.members[2] == "model.layers.2"


def test_blocks_of_other_shapes_do_not_fold_though_their_classes_are_equal() -> None:
    model = nn.Module()
    model.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 8)])
    (fold,) = find_folds(open_model(model))
    assert fold.indexes == (0, 1)


def test_blocks_of_other_layer_types_do_not_fold() -> None:
    config = Gemma3TextConfig(num_hidden_layers=6, hidden_size=64, vocab_size=100)
    folds = find_folds(open_model(config))
    assert [fold.layer_type for fold in folds] == ["sliding_attention"]
    assert folds[0].indexes == (0, 1, 2, 3, 4)


def test_a_long_pattern_is_shortened() -> None:
    assert short_ranges([0, 1, 2, 4, 5, 6, 8, 9, 12, 14]) == "0-2, 4-6, …, 14"


@given(st.lists(st.integers(0, 60), min_size=1, unique=True).map(sorted))
def test_ranges_name_exactly_their_numbers(numbers: list[int]) -> None:
    found: list[int] = []
    for part in ranges(numbers).split(", "):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == numbers
    assert not re.search(r"(\d+)-\1\b", ranges(numbers))
