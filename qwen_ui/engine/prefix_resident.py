"""The outputs of the frozen blocks, held on the device that trains, for one run.

3,072 bytes a token for Qwen2.5-1.5B: a million tokens are 3.1 GB, and nothing is copied to read
them. What does not fit goes to `prefix_cache`'s file.
"""

from __future__ import annotations

import numpy as np
import torch

from qwen_ui.data import Batch, Examples

# Share of a GPU's memory that outputs may take: 10 GB of 80, three million tokens of the 1.5B.
SHARE = 8


class ResidentPrefix:
    """Outputs of the prefix for all examples, one row of H per token.

    Args:
        examples: whose outputs are held.
        width: H, the hidden size.
        dtype: of the outputs.
        device: where they are held.
    """

    def __init__(
        self, examples: Examples, width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        bounds = np.array(examples.arrays.bounds, dtype=np.int64)
        self._starts, self._lengths = bounds[:-1], np.diff(bounds)
        # Two rows more: padding is read from the last but one, which stays 0, and written to the
        # last, which nobody reads.
        self._tokens = int(bounds[-1])
        self._rows_NH = torch.zeros((self._tokens + 2, width), dtype=dtype, device=device)
        self._held: set[int] = set()

    def holds(self, index: int) -> bool:
        """Whether this example's output is held."""
        return index in self._held

    def fits(self, prefix_BTH: torch.Tensor) -> bool:
        """Whether these outputs are of the width and dtype that are held."""
        held = self._rows_NH
        return prefix_BTH.shape[-1] == held.shape[-1] and prefix_BTH.dtype == held.dtype

    def put(self, batch: Batch, prefix_BTH: torch.Tensor) -> None:
        """Hold the outputs of a batch."""
        places = self._places(batch, self._tokens + 1)
        values = prefix_BTH.flatten(0, 1).to(self._rows_NH.dtype)
        self._rows_NH.index_copy_(0, places, values)
        self._held.update(batch.indexes)

    def get(self, batch: Batch) -> torch.Tensor:
        """The outputs for a batch (B, T, H), 0 at padding and where an example is not held."""
        places = self._places(batch, self._tokens)
        rows, length = batch.tokens_BT.shape
        return self._rows_NH.index_select(0, places).view(rows, length, -1)

    def _places(self, batch: Batch, padding: int) -> torch.Tensor:
        """The row of each token of a batch (B x T), `padding` where there is none."""
        indexes = np.array(batch.indexes)
        counted_T = np.arange(batch.tokens_BT.shape[1])
        places = self._starts[indexes, None] + counted_T
        places[counted_T >= self._lengths[indexes, None]] = padding
        on_cpu = torch.from_numpy(places.reshape(-1))
        if self._rows_NH.is_cuda:
            return on_cpu.pin_memory().to(self._rows_NH.device, non_blocking=True)
        return on_cpu.to(self._rows_NH.device)


def resident_budget(device: torch.device) -> int:
    """Bytes of outputs that are held on this device; 0 on one that is not a GPU."""
    if device.type != "cuda":
        return 0
    _, total = torch.cuda.mem_get_info(device)
    return int(total) // SHARE


def resident_bytes(examples: Examples, width: int, dtype: torch.dtype) -> int:
    """Bytes that holding these examples' outputs takes."""
    return (examples.arrays.bounds[-1] + 2) * width * dtype.itemsize
