"""Padding on the right without a mask: the same loss, or the mask stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from qwen_ui.data import Example, Examples, collate
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.mask_proof import prove_maskless
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from tests.helpers.small_models import build
from tests.helpers.tiny_families import tiny_configuration

FAMILIES = (
    "bloom",
    "cohere",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "granite",
    "llama",
    "mamba",
    "mistral",
    "mixtral",
    "olmo2",
    "opt",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_next",
    "stablelm",
)


def padded(words: int, sizes: tuple[int, ...] = (14, 9, 5)) -> Examples:
    """Samples of several lengths: all but the longest are padded."""
    generator = torch.Generator().manual_seed(1)
    items = []
    for size in sizes:
        tokens = torch.randint(3, words, (size,), generator=generator).tolist()
        items.append(Example(tuple(tokens), (False, *[True] * (size - 1)), ""))
    return Examples(tuple(items))


def trainee_of(model: Any) -> Trainee:
    anatomy = open_model(model)
    trainee = Trainee(model.eval(), resolve(preset("full"), anatomy), cache_prefix=False)
    trainee.maskless = False
    return trainee


@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_has_the_same_loss_without_a_mask(family: str) -> None:
    torch.manual_seed(0)
    trainee = trainee_of(AutoModelForCausalLM.from_config(tiny_configuration(family)))
    words = trainee.model.config.get_text_config().vocab_size
    batch = collate(padded(words), (0, 1, 2), 0)
    assert prove_maskless(trainee, batch, 0)
    with torch.no_grad():
        masked = trainee(batch, each=True)
        trainee.maskless = True
        bare = trainee(batch, each=True)
        rounded_up = trainee(collate(padded(words), (1, 2), 0, multiple=64), each=True)
    torch.testing.assert_close(bare, masked, rtol=1e-5, atol=1e-6)
    assert float(bare.sum()) == pytest.approx(float(masked.sum()), rel=1e-6)
    torch.testing.assert_close(rounded_up, masked[13:], rtol=1e-5, atol=1e-6)


class _CountsTokens(nn.Module):
    """An embedding of the whole sequence's length, as some models take it from their mask."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._real = body.forward

    def forward(self, *args: Any, attention_mask: Any = None, **given: Any) -> Any:
        output = self._real(*args, attention_mask=attention_mask, **given)
        tokens_BT = given["input_ids"]
        mask = torch.ones_like(tokens_BT) if attention_mask is None else attention_mask
        output.last_hidden_state = output.last_hidden_state * mask.sum(1)[:, None, None]
        return output


class _SeesPadding(_CountsTokens):
    """The last token's embedding reaches all others, unless a mask says that it is none."""

    def forward(self, *args: Any, attention_mask: Any = None, **given: Any) -> Any:
        output = self._real(*args, attention_mask=attention_mask, **given)
        if attention_mask is None:
            output.last_hidden_state = output.last_hidden_state + given["input_ids"].sum(1).view(
                -1, 1, 1
            )
        return output


class _WantsAMask(_CountsTokens):
    def forward(self, *args: Any, attention_mask: Any = None, **given: Any) -> Any:
        if attention_mask is None:
            raise TypeError("a mask is needed")
        return self._real(*args, attention_mask=attention_mask, **given)


@pytest.mark.parametrize("kind", [_CountsTokens, _SeesPadding, _WantsAMask])
def test_a_model_that_needs_its_mask_keeps_it(
    kind: type[_CountsTokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("qwen2")
    trainee = trainee_of(model)
    batch = collate(padded(model.config.vocab_size), (0, 1), 0)
    assert prove_maskless(trainee, batch, 0)
    monkeypatch.setattr(trainee.body, "forward", kind(trainee.body).forward)
    assert not prove_maskless(trainee, batch, 0)


def test_packed_samples_are_kept_apart_by_positions_alone() -> None:
    model = build("qwen2")
    trainee = trainee_of(model)
    item = Example((1, 2, 3, 4), (False, True, False, True), "", (0, 2))
    assert not prove_maskless(trainee, collate(Examples((item,)), (0,), 0), 0)


def test_a_batch_says_where_it_has_no_mask() -> None:
    examples = padded(30)
    bare = collate(examples, (0, 1, 2), 0, masked=False)
    masked = collate(examples, (0, 1, 2), 0)
    assert bare.mask_BT is None
    assert masked.mask_BT is not None
    assert masked.mask_BT.sum(1).tolist() == [14, 9, 5]
    assert torch.equal(bare.tokens_BT, masked.tokens_BT)
    assert replace(masked, mask_BT=None).inputs["attention_mask"] is None


def test_lengths_are_rounded_up_no_further_than_the_longest_example() -> None:
    examples = padded(30)
    assert collate(examples, (2,), 0, multiple=4).tokens_BT.shape == (1, 8)
    assert collate(examples, (1,), 0, multiple=64).tokens_BT.shape == (1, 14)
    assert collate(examples, (2,), 0).tokens_BT.shape == (1, 5)
