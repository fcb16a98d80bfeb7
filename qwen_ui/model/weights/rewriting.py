"""A safetensors file copied without some of its tensors, and with room for others."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import BinaryIO

from qwen_ui.model.weights.headers import DTYPES, StoredTensor, read_header

# (dtype by torch's name, shape)
Form = tuple[str, tuple[int, ...]]
_CODES = {dtype: (code, width) for code, (dtype, width) in DTYPES.items()}
_AT_A_TIME = 16 * 1024**2
# safetensors aligns the values to it.
_ALIGNMENT = 8


def rewrite(
    source: Path, target: Path, dropped: Collection[str], added: Mapping[str, Form]
) -> dict[str, StoredTensor]:
    """Copy a file; where the added tensors are in the copy, by name. Their values are yet to come.

    Args:
        dropped: names of tensors that the copy does not have.
        added: what it has instead.
    """
    tensors, _ = read_header(source)
    kept = sorted((t for name, t in tensors.items() if name not in dropped), key=lambda t: t.start)
    forms: dict[str, Form] = {t.name: (t.dtype, t.shape) for t in kept} | dict(added)
    header, places = _header(forms)
    with source.open("rb") as reading, target.open("wb") as writing:
        writing.write(header)
        for tensor in kept:
            reading.seek(tensor.start)
            _copy(reading, writing, tensor.bytes)
        writing.truncate(len(header) + sum(size for _, size in places.values()))
    made = {}
    for name, (dtype, shape) in added.items():
        start, size = places[name]
        made[name] = StoredTensor(name, dtype, shape, target, len(header) + start, size)
    return made


def _header(forms: Mapping[str, Form]) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The first bytes of a file with these tensors, and (start, bytes) of each behind them."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    places: dict[str, tuple[int, int]] = {}
    at = 0
    for name, (dtype, shape) in forms.items():
        code, width = _CODES[dtype]
        size = math.prod(shape) * width
        entries[name] = {"dtype": code, "shape": shape, "data_offsets": [at, at + size]}
        places[name] = at, size
        at += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, places


def _copy(reading: BinaryIO, writing: BinaryIO, size: int) -> None:
    left = size
    while left:
        part = reading.read(min(left, _AT_A_TIME))
        if not part:
            raise OSError(f"'{reading.name}' is cut off.")
        writing.write(part)
        left -= len(part)
