"""Tiny models of a few families with a byte tokenizer, saved as folders that transformers loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

# Small tensors: a second thread costs more than it gives, most of all beside other processes.
torch.set_num_threads(1)

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SENTENCES = [
    "the cat sat on the mat",
    "a dog ran over the hill",
    "two birds sang in the tree all day",
    "rain fell on the old red roof",
]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and the three special ones of Qwen."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *letters])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[0],
        additional_special_tokens=SPECIAL[1:2],
        chat_template=TEMPLATE,
    )


def write_sentences(file: Path) -> Path:
    """Twenty texts of different lengths, as jsonl."""
    lines = [{"text": f"{SENTENCES[i % 4]} {i}"[: 12 + 2 * i]} for i in range(20)]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return file


_SHAPE: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
FAMILIES: dict[str, Callable[..., PreTrainedConfig]] = {
    "qwen2": lambda **more: Qwen2Config(**{**_SHAPE, **more}, tie_word_embeddings=True),
    "llama": lambda **more: LlamaConfig(**{**_SHAPE, **more}, tie_word_embeddings=False),
    "gpt2": lambda **more: GPT2Config(
        vocab_size=260,
        n_embd=16,
        n_layer=4,
        n_head=4,
        n_positions=128,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        **more,
    ),
}


def save_model(folder: Path, family: str, dtype: torch.dtype = torch.float32, **other: Any) -> Path:
    """A small model of this family with seeded weights, and its tokenizer.

    Args:
        other: what its configuration has otherwise.
    """
    torch.manual_seed(0)
    configuration = FAMILIES[family](**other)
    configuration.dtype = dtype
    model = AutoModelForCausalLM.from_config(configuration, dtype=dtype)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder
