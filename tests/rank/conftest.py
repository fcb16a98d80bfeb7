"""A small model and two batches; workers are forked from a process that has all imported."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from qwen_ui.data.batches import Batch, Examples, collate
from qwen_ui.data.tokens import Example
from qwen_ui.model import Anatomy, open_model
from tests.helpers.rank import BLOCKS


@pytest.fixture(autouse=True)
def _forked(forked_workers: None) -> None:
    """Each worker is spared its imports."""


@pytest.fixture
def model() -> PreTrainedModel:
    torch.manual_seed(0)
    configuration = Qwen2Config(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=BLOCKS,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return Qwen2ForCausalLM(configuration).double().eval()


@pytest.fixture
def anatomy(model: PreTrainedModel) -> Anatomy:
    return open_model(model)


@pytest.fixture
def batches() -> list[Batch]:
    """Two batches of two sequences, one of which is shorter, so that there is padding."""
    generator = torch.Generator().manual_seed(1)
    items = []
    for length in (9, 6, 9, 8):
        tokens = torch.randint(0, 50, (length,), generator=generator).tolist()
        items.append(Example(tuple(tokens), (False, *[True] * (length - 1)), "test"))
    examples = Examples(tuple(items))
    return [collate(examples, pair, 0) for pair in ((0, 1), (2, 3))]
