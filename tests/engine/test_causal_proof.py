"""A model whose tokens see later ones is refused before its first step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, PreTrainedModel, RobertaConfig

from qwen_ui.data import Example, Examples, collate
from qwen_ui.engine.causal_proof import check_causal
from qwen_ui.engine.forward import Trainee
from qwen_ui.errors import ModelError
from qwen_ui.freeze import FreezePlan, Rule, resolve
from qwen_ui.model import open_model
from tests.helpers.family_proofs import build
from tests.helpers.tiny_wrappers import WRAPPERS

SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def checked(model: PreTrainedModel) -> None:
    anatomy = open_model(model.config)
    selection = resolve(FreezePlan(rules=(Rule(layers="last:1"),)), anatomy)
    trainee = Trainee(model.eval(), selection, cache_prefix=False)
    tokens = tuple(range(3, 13))
    example = Example(tokens, (False, *[True] * (len(tokens) - 1)), "here")
    check_causal(trainee, collate(Examples((example,)), (0,), pad=0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral", "mamba", "bloom", "qwen3_next"])
def test_causal_models_pass(family: str, dtype: torch.dtype) -> None:
    checked(build(family, dtype))


@pytest.mark.parametrize("made", [BertConfig, RobertaConfig])
def test_an_encoder_is_refused_and_as_a_decoder_it_passes(made: Any) -> None:
    for is_decoder in (True, False):
        model = AutoModelForCausalLM.from_config(made(**SMALL, is_decoder=is_decoder))
        if is_decoder:
            checked(model)
            continue
        with pytest.raises(ModelError, match="depend on later tokens"):
            checked(model)


def test_paligemma_is_refused() -> None:
    configuration = WRAPPERS["paligemma"]()
    from qwen_ui.model.skeleton import auto_class  # noqa: PLC0415

    model = auto_class(configuration).from_config(configuration)
    with pytest.raises(ModelError, match=r"paligemma.*depend on later tokens"):
        checked(model)
