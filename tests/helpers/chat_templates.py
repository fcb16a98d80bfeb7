"""Chat templates that behave as public ones do (`jinja/`), and what they train.

They are written anew and short. `Family.answers` says, apart from them, what a model is to write
in each turn of the assistant: that is what the loss must be on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from tests.helpers.tiny_models import byte_tokenizer

Messages = list[dict[str, Any]]
TEMPLATES = Path(__file__).parent / "jinja"


@dataclass(frozen=True)
class Family:
    """The special tokens of a template, and the answers of a conversation in it."""

    special: tuple[str, ...]
    answer: Callable[[Messages, int], str]
    eos: str
    bos: str | None = None
    plain: tuple[str, ...] = ()
    system: bool = True

    def tokenizer(self, name: str) -> PreTrainedTokenizerFast:
        """One token a byte, and the special tokens of the family."""
        tokenizer = byte_tokenizer()
        tokenizer.chat_template = (TEMPLATES / f"{name}.jinja").read_text()
        tokenizer.add_special_tokens({"additional_special_tokens": list(self.special)})
        tokenizer.add_tokens(list(self.plain))
        tokenizer.eos_token = self.eos
        if self.bos:
            tokenizer.bos_token = self.bos
        return tokenizer

    def answers(self, messages: Messages) -> str:
        """What the model is to write, all turns in a row."""
        turns = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
        return "".join(self.answer(messages, i) for i in turns)


def _content(messages: Messages, index: int) -> str:
    return str(messages[index]["content"])


def _ending(end: str) -> Callable[[Messages, int], str]:
    return lambda messages, index: _content(messages, index) + end


def _trimmed(end: str) -> Callable[[Messages, int], str]:
    return lambda messages, index: _content(messages, index).strip() + end


def _qwen3(messages: Messages, index: int) -> str:
    last = index == len(messages) - 1
    content = _content(messages, index)
    thought, found, rest = content.rpartition("</think>")
    if found:
        content = rest.lstrip("\n")
        # The first thought, as the template takes it.
        thought = _content(messages, index).split("</think>")[0]
        thought = thought.rstrip("\n").split("<think>")[-1].lstrip("\n")
    after_query = not any(m["role"] == "user" for m in messages[index + 1 :])
    if after_query and (last or (found and thought)):
        thought = thought.strip("\n") if found else ""
        return f"<think>\n{thought}\n</think>\n\n{content.lstrip(chr(10))}<|im_end|>"
    return content + "<|im_end|>"


def _deepseek(messages: Messages, index: int) -> str:
    return _content(messages, index).split("</think>")[-1] + "<|end_of_sentence|>"


def _harmony(messages: Messages, index: int) -> str:
    end = "<|return|>" if index == len(messages) - 1 else "<|end|>"
    return "<|channel|>final<|message|>" + _content(messages, index) + end


_IM = ("<|im_start|>", "<|im_end|>")
FAMILIES = {
    "chatml": Family(
        _IM,
        _ending("<|im_end|>"),
        "<|im_end|>",
    ),
    "qwen2.5": Family(
        _IM, _ending("<|im_end|>"), "<|im_end|>", plain=("<tool_call>", "</tool_call>")
    ),
    "qwen3": Family(_IM, _qwen3, "<|im_end|>", plain=("<think>", "</think>")),
    "deepseek-r1": Family(
        ("<|begin_of_sentence|>", "<|end_of_sentence|>"),
        _deepseek,
        "<|end_of_sentence|>",
        "<|begin_of_sentence|>",
        plain=("<|User|>", "<|Assistant|>", "<think>", "</think>"),
    ),
    "llama-3": Family(
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        _trimmed("<|eot_id|>"),
        "<|eot_id|>",
        "<|begin_of_text|>",
    ),
    "llama-2": Family(
        ("<s>", "</s>"),
        lambda messages, i: " " + _content(messages, i).strip() + " </s>",
        "</s>",
        "<s>",
    ),
    "mistral": Family(("<s>", "</s>", "[INST]", "[/INST]"), _ending("</s>"), "</s>", "<s>"),
    "gemma": Family(
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
        _trimmed("<end_of_turn>"),
        "<eos>",
        "<bos>",
        system=False,
    ),
    "phi-3": Family(
        ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
        _ending("<|end|>"),
        "<|endoftext|>",
    ),
    "zephyr": Family(("</s>",), _ending("</s>"), "</s>"),
    "smollm3": Family(
        _IM,
        lambda messages, i: _content(messages, i).lstrip("\n") + "<|im_end|>",
        "<|im_end|>",
    ),
    "generation": Family(_IM, _ending("<|im_end|>"), "<|im_end|>"),
    "harmony": Family(
        ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"),
        _harmony,
        "<|return|>",
    ),
    "plain": Family((), _ending(""), "<|endoftext|>"),
}
