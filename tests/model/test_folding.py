"""Blocks fold where they are built alike, and only there."""

from __future__ import annotations

from torch import nn
from transformers import Gemma3TextConfig

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.folding import find_folds


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
