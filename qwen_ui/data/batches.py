"""Training and evaluation examples of a run, and the batches made of them."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
import torch

from qwen_ui.data.reading import Loaded, read_records, template_notes
from qwen_ui.data.tokens import Example, make_examples

IGNORED = -100
# Batches whose sequences are sorted by length together: batches of similar lengths need little
# padding.
SORTED_BATCHES = 16


@dataclass(frozen=True)
class Examples:
    """Examples of one data set.

    Attributes:
        items: the examples.
        notes: sentences on what was taken for what, and on what was truncated or left out.
    """

    items: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the tokens, their order and where samples begin."""
        digest = hashlib.sha256()
        for example in self.items:
            digest.update(array("q", [len(example.tokens), *example.starts, -1]).tobytes())
            digest.update(array("q", example.tokens).tobytes())
        return digest.hexdigest()

    @cached_property
    def arrays(self) -> TokenArrays:
        """The tokens of all examples, end to end, as batches are made of them."""
        lengths = [len(example.tokens) for example in self.items]
        tokens = chain.from_iterable(example.tokens for example in self.items)
        carrying = chain.from_iterable(example.loss_mask for example in self.items)
        return TokenArrays(
            tokens=np.fromiter(tokens, dtype=np.int64, count=sum(lengths)),
            carrying=np.fromiter(carrying, dtype=np.bool_, count=sum(lengths)),
            bounds=(0, *accumulate(lengths)),
        )

    @cached_property
    def loss_tokens(self) -> tuple[int, ...]:
        """Tokens in the loss, of each example."""
        return tuple(example.loss_tokens for example in self.items)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest example."""
        return max(len(example.tokens) for example in self.items)

    @cached_property
    def equally_long(self) -> bool:
        """Whether nearly all sequences are equally long, so that sorting by length is pointless."""
        return sum(len(e.tokens) for e in self.items) > 0.9 * self.longest * len(self.items)


@dataclass(frozen=True, slots=True)
class TokenArrays:
    """Examples end to end.

    Attributes:
        tokens: their ids.
        carrying: whether each token is in the loss.
        bounds: where each example begins, and the end of the last.
    """

    tokens: np.ndarray[Any, np.dtype[np.int64]]
    carrying: np.ndarray[Any, np.dtype[np.bool_]]
    bounds: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Sequences side by side, padded on the right (B sequences, T tokens).

    Attributes:
        indexes: which examples they are.
        tokens_BT: ids.
        mask_BT: 1 where there is a token; None where nothing needs it: samples are packed
            (positions separate them), or a causal model was shown to ignore padding on the right.
        positions_BT: position of each token in its sample; None where they count from 0.
        rows: flat indexes (into B x T) of the positions whose next token is in the loss.
        targets: those next tokens; `IGNORED` where a row only fills up their number.
        token_count: tokens without padding.
        spare_rows: whether some of `rows` only fill up their number.
    """

    indexes: tuple[int, ...]
    tokens_BT: torch.Tensor
    mask_BT: torch.Tensor | None
    positions_BT: torch.Tensor | None
    rows: torch.Tensor
    targets: torch.Tensor
    token_count: int
    spare_rows: bool = False

    def to(self, device: torch.device) -> Batch:
        """The same batch on this device; a GPU goes on computing while it is copied."""
        return replace(
            self,
            tokens_BT=_moved(self.tokens_BT, device),
            mask_BT=None if self.mask_BT is None else _moved(self.mask_BT, device),
            positions_BT=None if self.positions_BT is None else _moved(self.positions_BT, device),
            rows=_moved(self.rows, device),
            targets=_moved(self.targets, device),
        )

    @property
    def inputs(self) -> dict[str, Any]:
        """Keyword arguments of a model's forward."""
        given = {"input_ids": self.tokens_BT, "attention_mask": self.mask_BT, "use_cache": False}
        if self.positions_BT is not None:
            given["position_ids"] = self.positions_BT
        return given

    @property
    def labels_BT(self) -> torch.Tensor:
        """Labels as transformers takes them: not shifted, -100 where there is no loss."""
        labels = torch.full_like(self.tokens_BT, IGNORED)
        labels.view(-1)[self.rows + 1] = self.targets
        return labels


def load_examples(
    source: str,
    tokenizer: Any,
    sequence_length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
    columns_required: bool = True,
) -> Examples:
    """The examples of one source.

    Args:
        columns: which columns of the data are which part, by hand; see `reading.read_records`.
        columns_required: whether rows without these columns are an error.

    Raises:
        DataError: it cannot be read, or a sample in it cannot be used.
        SettingsError: `columns` is not understood.
    """
    loaded = read_records(source, columns, required=columns_required)
    return examples_of(loaded, tokenizer, sequence_length, packing=packing)


def examples_of(
    loaded: Loaded, tokenizer: Any, sequence_length: int, *, packing: bool = False
) -> Examples:
    """The examples of these records, with notes on how they were read and what was cut.

    Raises:
        DataError: a sample cannot be used.
    """
    items, counts = make_examples(loaded.records, tokenizer, sequence_length, packing=packing)
    cut = counts.sentence(sequence_length)
    read = (*loaded.notes, *template_notes(loaded.records, tokenizer))
    return Examples(tuple(items), (*read, cut) if cut else read)


def collate(
    examples: Examples,
    indexes: tuple[int, ...],
    pad: int,
    *,
    masked: bool = True,
    multiple: int = 1,
) -> Batch:
    """A batch of these examples, padded with `pad` on the right.

    Args:
        masked: whether padding is masked; packed samples never have a mask.
        multiple: the length is rounded up to one, as far as an example is that long: a GPU builds
            kernels and graphs anew for each new shape.
    """
    arrays = examples.arrays
    spans = [slice(arrays.bounds[i], arrays.bounds[i + 1]) for i in indexes]
    lengths = [span.stop - span.start for span in spans]
    longest = max(lengths)
    length = max(longest, min(-(-longest // multiple) * multiple, examples.longest))
    tokens = np.full((len(spans), length), pad, dtype=np.int64)
    carrying = np.zeros((len(spans), length), dtype=np.bool_)
    for row, (span, size) in enumerate(zip(spans, lengths, strict=True)):
        tokens[row, :size] = arrays.tokens[span]
        carrying[row, :size] = arrays.carrying[span]
    in_loss = carrying.reshape(-1).nonzero()[0]
    items = [examples.items[i] for i in indexes]
    packed = any(len(item.starts) > 1 for item in items)
    return Batch(
        indexes=indexes,
        tokens_BT=torch.from_numpy(tokens),
        mask_BT=_mask(lengths, length) if masked and not packed else None,
        positions_BT=_positions(items, length) if packed else None,
        rows=torch.from_numpy(in_loss - 1),
        targets=torch.from_numpy(tokens.reshape(-1)[in_loss]),
        token_count=sum(lengths),
    )


def _mask(lengths: list[int], length: int) -> torch.Tensor:
    return (torch.arange(length) < torch.tensor(lengths)[:, None]).long()


def _moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    # Copied without waiting, which takes memory that the system does not move.
    return tensor.pin_memory().to(device, non_blocking=True)


def _positions(items: list[Example], length: int) -> torch.Tensor:
    """Positions that restart with each sample, and with the padding."""
    positions = torch.empty((len(items), length), dtype=torch.long)
    for row, item in enumerate(items):
        bounds = [*item.starts, len(item.tokens), length]
        for begin, end in pairwise(bounds):
            positions[row, begin:end] = torch.arange(end - begin)
    return positions
