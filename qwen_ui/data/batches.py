"""Training and evaluation examples of a run, and the batches made of them."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

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
    def equally_long(self) -> bool:
        """Whether nearly all sequences are equally long, so that sorting by length is pointless."""
        longest = max(len(example.tokens) for example in self.items)
        return sum(len(e.tokens) for e in self.items) > 0.9 * longest * len(self.items)


@dataclass(frozen=True)
class Batch:
    """Sequences side by side, padded on the right (B sequences, T tokens).

    Attributes:
        indexes: which examples they are.
        tokens_BT: ids.
        mask_BT: 1 where there is a token; None where samples are packed (positions separate them).
        positions_BT: position of each token in its sample; None where they count from 0.
        rows: flat indexes (into B x T) of the positions whose next token is in the loss.
        targets: those next tokens.
        token_count: tokens without padding.
    """

    indexes: tuple[int, ...]
    tokens_BT: torch.Tensor
    mask_BT: torch.Tensor | None
    positions_BT: torch.Tensor | None
    rows: torch.Tensor
    targets: torch.Tensor
    token_count: int

    def to(self, device: torch.device) -> Batch:
        """The same batch on this device."""
        return replace(
            self,
            tokens_BT=self.tokens_BT.to(device),
            mask_BT=None if self.mask_BT is None else self.mask_BT.to(device),
            positions_BT=None if self.positions_BT is None else self.positions_BT.to(device),
            rows=self.rows.to(device),
            targets=self.targets.to(device),
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


def collate(examples: Examples, indexes: tuple[int, ...], pad: int) -> Batch:
    """A batch of these examples, padded with `pad` on the right."""
    items = [examples.items[i] for i in indexes]
    length = max(len(item.tokens) for item in items)
    tokens = torch.full((len(items), length), pad)
    mask = torch.zeros((len(items), length), dtype=torch.long)
    loss_mask = torch.zeros((len(items), length), dtype=torch.bool)
    for row, item in enumerate(items):
        tokens[row, : len(item.tokens)] = torch.tensor(item.tokens)
        mask[row, : len(item.tokens)] = 1
        loss_mask[row, : len(item.loss_mask)] = torch.tensor(item.loss_mask)
    in_loss = loss_mask.view(-1).nonzero().squeeze(1)
    packed = any(len(item.starts) > 1 for item in items)
    return Batch(
        indexes=indexes,
        tokens_BT=tokens,
        mask_BT=None if packed else mask,
        positions_BT=_positions(items, length) if packed else None,
        rows=in_loss - 1,
        targets=tokens.view(-1)[in_loss],
        token_count=sum(len(item.tokens) for item in items),
    )


def _positions(items: list[Example], length: int) -> torch.Tensor:
    """Positions that restart with each sample, and with the padding."""
    positions = torch.empty((len(items), length), dtype=torch.long)
    for row, item in enumerate(items):
        bounds = [*item.starts, len(item.tokens), length]
        for begin, end in pairwise(bounds):
            positions[row, begin:end] = torch.arange(end - begin)
    return positions
