"""Fingerprint of a model's weights: every tensor's name, dtype, shape and bytes, hashed."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from qwen_ui.errors import ModelError
from qwen_ui.model.weights.headers import DTYPES, StoredTensor, read_header

_CODES = {dtype: code for code, (dtype, _) in DTYPES.items()}


def folder_fingerprint(folder: Path) -> str:
    """Fingerprint of the safetensors files in a folder, however they are split.

    Raises:
        ModelError: there are none, or one of them is damaged.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"'{folder}' holds no safetensors files. Download the weights again.")
    whole = hashlib.sha256()
    for name, digest in sorted(entry for file in files for entry in _tensor_digests(file)):
        whole.update(f"{name}\0{digest}\n".encode())
    return whole.hexdigest()


def _tensor_digests(file: Path) -> Iterator[tuple[str, str]]:
    """Name and hash of every tensor in a file."""
    tensors, _ = read_header(file)
    if not tensors:
        return
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for tensor in tensors.values():
            with memoryview(data)[tensor.start : tensor.start + tensor.bytes] as view:
                yield tensor.name, _digest(tensor, view)


def _digest(tensor: StoredTensor, data: memoryview) -> str:
    digest = hashlib.sha256(f"{_CODES[tensor.dtype]}{list(tensor.shape)}".encode())
    digest.update(data)
    return digest.hexdigest()
