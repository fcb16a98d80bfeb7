"""The tokens of a run, all of which the embedding knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.data import Examples, has_ids_beyond, load_split, refuse_ids_beyond
from qwen_ui.model import embedding_rows

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.runs import RunSpec


def read_split(spec: RunSpec, anatomy: Anatomy, tokenizer: Any) -> tuple[Examples, Examples]:
    """Training and evaluation examples.

    Raises:
        DataError: the data cannot be used.
        ModelError: a token in them, or in a prompt to sample from, has no row in the embedding.
    """
    split = load_split(
        spec.data.source,
        spec.data.eval_data,
        spec.data.validation_split,
        tokenizer,
        spec.data.sequence_length,
        packing=spec.data.packing,
        seed=spec.data.split_seed,
        columns=spec.data.columns,
    )
    rows = embedding_rows(anatomy)
    if rows is not None and has_ids_beyond(tokenizer, rows):
        prompts = spec.evaluation.sample_prompts
        sequences = [(e.where, e.tokens) for examples in split for e in examples.items]
        sequences += [
            (f"Sample prompt '{prompt[:40]}'", tuple(tokenizer(prompt)["input_ids"]))
            for prompt in prompts
        ]
        refuse_ids_beyond(sequences, tokenizer, rows, anatomy.source)
    return split


def refuse_unknown_tokens(spec: RunSpec, anatomy: Anatomy) -> None:
    """Refuse, before launch, data with a token that the embedding has no row for.

    The data are read only where the tokenizer has such tokens at all.

    Raises:
        UserError: as `read_split`; or the model has no tokenizer.
    """
    from qwen_ui.model.weights import load_tokenizer  # noqa: PLC0415  imports torch

    rows = embedding_rows(anatomy)
    if rows is None or anatomy.weights_folder is None:
        return
    tokenizer = load_tokenizer(anatomy.weights_folder)
    if has_ids_beyond(tokenizer, rows):
        read_split(spec, anatomy, tokenizer)
