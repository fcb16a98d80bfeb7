"""Stored tensors that become the model's together: experts that are stacked, what is quantized.

They are converted by transformers' own rules when one of them is asked for; quantized ones come out
as plain numbers in float32. The last group is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model.weights import Conversion, StoredTensor
from qwen_ui.verify.values import Values, held_values

Stored = dict[str, StoredTensor]
# Dtypes of plain numbers; quantized weights are stored in others, beside their scales in these.
_PLAIN = ("float64", "float32", "float16", "bfloat16")


def is_packed(tensors: Iterable[Values | StoredTensor]) -> bool:
    """Whether one of these stored tensors holds something else than plain numbers."""
    return any(tensor.dtype not in _PLAIN for tensor in tensors)


class Converter:
    """Converts groups of stored tensors of one architecture.

    Args:
        configuration: transformers' object, of the checkpoint itself.
    """

    def __init__(self, configuration: Any) -> None:
        self._conversion = Conversion(configuration, torch.float32)
        self._last: tuple[str, dict[str, torch.Tensor]] = ("", {})

    def made_of(self, group: str, parts: dict[str, Values]) -> dict[str, Values]:
        """The tensors of the model that a group becomes, by name.

        Args:
            group: the name that its tensors go to.
            parts: by their names in the files.

        Raises:
            ModelError: their shapes do not go together.
        """
        return {
            name: Values(
                tuple(empty.shape),
                str(empty.dtype).removeprefix("torch."),
                partial(self._read, group, name, parts),
            )
            for name, empty in self._shapes(group, parts).items()
        }

    def _shapes(self, group: str, parts: dict[str, Values]) -> dict[str, torch.Tensor]:
        empty = {
            stored: torch.empty(part.shape, dtype=getattr(torch, part.dtype), device="meta")
            for stored, part in parts.items()
        }
        try:
            return self._conversion.convert(empty)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"'{group}' cannot be put together from {len(parts)} stored tensors "
                f"({' '.join(str(error).split())[:200]}). The files and their configuration do not "
                "belong together."
            ) from error

    def _read(
        self, group: str, name: str, parts: dict[str, Values], first: int, rows: int
    ) -> torch.Tensor:
        if self._last[0] != group:
            self._last = "", {}  # let go of before the next is made
            whole = {stored: values.whole() for stored, values in parts.items()}
            self._last = group, self._conversion.convert(whole)
        return held_values(self._last[1][name]).read(first, rows)
