"""Which blocks matter, on a person's own data: every method, in as few passes as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch

from qwen_ui.data import (
    Batch,
    Examples,
    collate,
    load_examples,
    padding_id,
    refuse_ids_beyond,
)
from qwen_ui.errors import DataError, SettingsError
from qwen_ui.formats import short_bytes
from qwen_ui.model import Anatomy, embedding_rows, open_model, refuse_length
from qwen_ui.model.weights import load_model, load_tokenizer, weights_folder
from qwen_ui.rank.blocks import model_by_blocks
from qwen_ui.rank.methods import METHODS
from qwen_ui.rank.ranking import BATCH_SIZE, SEQUENCE_LENGTH, SEQUENCES, Ranking
from qwen_ui.rank.scores import Progress, Scores, ignore_progress
from qwen_ui.runs import free_memory


def rank(model: str, data: str, method: str, **settings: Any) -> Ranking:
    """`rank_all` of one method."""
    return rank_all(model, data, (method,), **settings)[method]


def rank_all(
    model: str,
    data: str,
    methods: Sequence[str] = tuple(METHODS),
    *,
    sequences: int = SEQUENCES,
    batch_size: int = BATCH_SIZE,
    sequence_length: int = SEQUENCE_LENGTH,
    columns: str | None = None,
    on_progress: Progress = ignore_progress,
) -> dict[str, Ranking]:
    """Score every block of a model whose weights are at hand, in float32, on a GPU if there is one.

    Where all weights do not fit into the free memory, blocks are read from the files one by one,
    by the methods that need no more at a time.

    Args:
        data: as for training; its first `sequences` sequences are used. `weight` reads none.
        columns: which columns of the data are which part, by hand; None for by their names.
        methods: keys of `METHODS`. Methods that their passes answer as well are included.
        on_progress: called with (done, total) after every piece of work, `total` being 1,000 times
            the passes.

    Raises:
        UserError: the model, the data or a setting cannot be used.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        named = f"There is no method '{unknown[0]}'." if unknown else "Give a method."
        raise SettingsError(f"{named} There are {', '.join(METHODS)}.")
    if sequences < 1 or batch_size < 1 or sequence_length < 2:
        raise SettingsError(
            "Ranking needs at least 1 sequence of 2 tokens, and a batch size of at least 1."
        )
    anatomy = open_model(model)
    refuse_length(anatomy, sequence_length)
    folder = weights_folder(anatomy)
    tokenizer = load_tokenizer(folder)
    examples = load_examples(data, tokenizer, sequence_length, columns=columns)
    batches = _batches(examples, data, tokenizer, anatomy, sequences, batch_size)
    device = device_of(anatomy)
    batches = [batch.to(device) for batch in batches]
    part_by_part = device.type == "cpu" and not _fits(anatomy)
    options: dict[str, Any] = {}
    if part_by_part:
        _refuse_whole(methods, anatomy)
        module, options["here"] = model_by_blocks(folder, anatomy)
    else:
        module = load_model(folder, anatomy, torch.float32, device).eval().requires_grad_(False)
    used = sum(len(batch.indexes) for batch in batches)
    found: dict[str, Scores] = {}
    passes = _passes(methods)
    for number, scores_by in enumerate(passes):
        part = _part_of(on_progress, number, len(passes))
        found |= scores_by(module, anatomy, batches, part, **options)
    return {
        name: Ranking(model, name, scores, used, examples.notes) for name, scores in found.items()
    }


def _fits(anatomy: Anatomy) -> bool:
    """Whether all weights fit into what main memory has free."""
    return 4 * anatomy.total_parameters <= free_memory()


def _refuse_whole(methods: Sequence[str], anatomy: Anatomy) -> None:
    """Refuse methods that need all weights at once, where these do not fit."""
    whole = [method for method in methods if not METHODS[method].by_blocks]
    if whole:
        others = ", ".join(name for name, method in METHODS.items() if method.by_blocks)
        needed, free = short_bytes(4 * anatomy.total_parameters), short_bytes(free_memory())
        raise SettingsError(
            f"'{whole[0]}' needs all weights in memory, {needed} in float32, and {free} are free. "
            f"Free memory, or rank by methods that read one block at a time: {others}."
        )


def device_of(anatomy: Anatomy) -> torch.device:
    """The GPU where the weights in float32 fill at most half of what is free, else the CPU."""
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        if 2 * 4 * anatomy.total_parameters <= free:
            return torch.device("cuda")
    return torch.device("cpu")


def _passes(methods: Sequence[str]) -> list[Callable[..., dict[str, Scores]]]:
    """The functions that compute these methods, each once, in the order of the list of methods."""
    wanted = [method.computed_by for name, method in METHODS.items() if name in methods]
    return [_function(name) for name in dict.fromkeys(wanted)]


def _function(name: str) -> Callable[..., dict[str, Scores]]:
    module, _, function = name.partition(".")
    return getattr(import_module(f"{__package__}.{module}"), function)


def _part_of(on_progress: Progress, number: int, count: int) -> Progress:
    """The progress of one pass as a part of the whole."""
    return lambda done, total: on_progress(1000 * number + 1000 * done // total, 1000 * count)


def _batches(
    examples: Examples,
    data: str,
    tokenizer: Any,
    anatomy: Anatomy,
    sequences: int,
    batch_size: int,
) -> list[Batch]:
    count = min(sequences, len(examples.items))
    if not count:
        raise DataError(f"'{data}' holds no sequence to rank on. Give a longer text.")
    rows = embedding_rows(anatomy)
    if rows is not None:
        used = ((e.where, e.tokens) for e in examples.items[:count])
        refuse_ids_beyond(used, tokenizer, rows, anatomy.source)
    starts = range(0, count, batch_size)
    groups = [tuple(range(start, min(start + batch_size, count))) for start in starts]
    return [collate(examples, group, padding_id(tokenizer, rows)) for group in groups]
