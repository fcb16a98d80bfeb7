"""A tiny Qwen2 with a tokenizer of its own, saved as a folder, and data to train it on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
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

from qwen_ui.paths import runs_folder
from qwen_ui.train import launch
from qwen_ui.train.process import end_tree
from qwen_ui.train.runs import run_names

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


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_tokenizer()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a 4-block Qwen2 in float32."""
    return save_model(tmp_path_factory.mktemp("tiny"), "qwen2")


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty texts of unlike lengths, as jsonl."""
    file = tmp_path_factory.mktemp("data") / "sentences.jsonl"
    lines = [{"text": f"{SENTENCES[i % 4]} {i}"[: 12 + 2 * i]} for i in range(20)]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return file


@pytest.fixture(scope="session", autouse=True)
def forked_workers() -> Iterator[None]:
    """Most tests' workers are forked, as the dashboard's are; it saves each its imports."""
    launch.keep_ready()
    yield
    launch._fork_server.stop()


@pytest.fixture
def step_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers that only write a run, without a model; none is left at the end."""
    monkeypatch.setattr(launch, "WORKER", "tests.train.step_worker")
    yield
    # The end of a worker lets the next of the queue begin: not any more.
    monkeypatch.setattr(launch, "dispatch", lambda: [])
    for name in run_names():
        pid = launch.worker_pid(runs_folder() / name)
        if pid is not None:
            end_tree(pid)
