"""What the model writes: the same prompts before, during and after, always its likeliest words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from qwen_ui.data import Example, Examples
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.stream.streamed_run import can_sample
from qwen_ui.model import Anatomy, most_positions
from qwen_ui.model.libraries import GenerationConfig, PreTrainedModel

PROMPT_TOKENS = 16


def prompt_from(examples: Examples, tokenizer: Any) -> str:
    """The start of a held-out example: all before its answer, or its first tokens."""
    example = examples.items[0]
    return str(tokenizer.decode(example.tokens[: _prompt_length(example)]))


def _prompt_length(example: Example) -> int:
    first = example.loss_mask.index(True)
    return first if first > 1 else min(PROMPT_TOKENS, len(example.tokens) - 1)


def continuation(trainee: Trainee, tokenizer: Any, prompt: str, tokens: int) -> str:
    """What the model writes after the prompt, greedily; the prompt itself left out.

    Where the model has not that many positions, it is given the prompt's end and writes less.
    """
    model = trainee.model
    device = next(model.parameters()).device
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"].to(device)
    ids, tokens = within_positions(trainee.anatomy, ids, tokens)
    stop, pad = stop_and_pad(model, tokenizer)
    settings = GenerationConfig(
        max_new_tokens=tokens, do_sample=False, use_cache=True, eos_token_id=stop, pad_token_id=pad
    )
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            out = trainee.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
            )
    finally:
        model.train(was_training)
    return str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


def stop_and_pad(model: PreTrainedModel, tokenizer: Any) -> tuple[Any, int | None]:
    """The ids that end a text (one, or a list of them, or None), and the id that fills up."""
    stop = model.generation_config.eos_token_id if model.generation_config else None
    stop = tokenizer.eos_token_id if stop is None else stop
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = stop[0] if isinstance(stop, list) else stop
    return stop, pad


def within_positions(anatomy: Anatomy, ids: torch.Tensor, tokens: int) -> tuple[torch.Tensor, int]:
    """Prompt (1, T) and number of new tokens that the model has positions for."""
    limit = most_positions(anatomy, ids.shape[1] + tokens)
    if limit is None:
        return ids, tokens
    # Half of the positions at least are for the prompt, as far as it has them.
    ids = ids[:, -(limit - min(tokens, limit // 2)) :]
    return ids, min(tokens, limit - ids.shape[1])


class Sampler:
    """Continues the same prompts whenever it is asked to.

    Args:
        prompts: what a person gave; none takes one from the evaluation examples.
        tokens: length of a continuation; 0 samples nothing.
    """

    def __init__(
        self,
        trainee: Trainee,
        tokenizer: Any,
        evaluation: Examples,
        *,
        prompts: Sequence[str],
        tokens: int,
    ) -> None:
        self._trainee, self._tokenizer, self._tokens = trainee, tokenizer, tokens
        self._prompts = tuple(prompts) or (prompt_from(evaluation, tokenizer),)

    def samples(self) -> Iterator[tuple[str, str]]:
        """(prompt, continuation) of each; none where the whole model is too much to hold for them.

        Every process has to ask: sharded weights need all.
        """
        if not can_sample(self._trainee):
            return
        for prompt in self._prompts if self._tokens else ():
            yield prompt, continuation(self._trainee, self._tokenizer, prompt, self._tokens)
