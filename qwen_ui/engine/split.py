"""The tokens of a run, all of which the embedding knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qwen_ui.data import (
    Examples,
    has_ids_beyond,
    load_kept_text,
    load_split,
    measured_part,
    refuse_ids_beyond,
    shared_note,
)
from qwen_ui.model import embedding_rows

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy
    from qwen_ui.runs import RunSpec


def read_split(
    spec: RunSpec, anatomy: Anatomy, tokenizer: Any
) -> tuple[Examples, Examples, Examples | None]:
    """Training and evaluation examples, and those of the text to keep, if there is one.

    Raises:
        DataError: the data cannot be used.
        ModelError: a token in them, or in a prompt to sample from, has no row in the embedding.
    """
    training, evaluation = load_split(
        spec.data.source,
        spec.data.eval_data,
        spec.data.validation_split,
        tokenizer,
        spec.data.sequence_length,
        packing=spec.data.packing,
        seed=spec.data.split_seed,
        columns=spec.data.columns,
    )
    most, seed = spec.evaluation.eval_tokens, spec.data.split_seed
    split = training, measured_part(evaluation, most, seed)
    keep = _read_keep(spec, tokenizer, split)
    rows = embedding_rows(anatomy)
    if rows is not None and has_ids_beyond(tokenizer, rows):
        prompts = spec.evaluation.sample_prompts
        items = [item for examples in (*split, keep) if examples for item in examples.items]
        sequences = [(item.where, item.tokens) for item in items]
        sequences += [
            (f"Sample prompt '{prompt[:40]}'", tuple(tokenizer(prompt)["input_ids"]))
            for prompt in prompts
        ]
        refuse_ids_beyond(sequences, tokenizer, rows, anatomy.source)
    return (*split, keep)


def _read_keep(
    spec: RunSpec, tokenizer: Any, learned: tuple[Examples, Examples]
) -> Examples | None:
    if spec.data.keep is None:
        return None
    keep = load_kept_text(
        spec.data.keep,
        tokenizer,
        spec.data.sequence_length,
        most_tokens=spec.data.keep_tokens,
        packing=spec.data.packing,
        columns=spec.data.columns,
    )
    note = shared_note(keep, learned)
    return replace(keep, notes=(*keep.notes, note)) if note else keep


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
