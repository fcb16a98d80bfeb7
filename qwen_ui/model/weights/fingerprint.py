"""What names a model's weights: a digest of every tensor's name, dtype, shape and bytes."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from qwen_ui.errors import ModelError

_MAX_HEADER_BYTES = 100 * 1024**2
_DTYPES = {
    "float32": "F32",
    "bfloat16": "BF16",
    "float16": "F16",
    "float64": "F64",
}


def folder_fingerprint(folder: Path) -> str:
    """Of the safetensors files in a folder, however they are split.

    Raises:
        ModelError: there are none, or one of them is torn.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"'{folder}' holds no safetensors files. Download the weights again.")
    return _combined(part for file in files for part in _file_parts(file))


def module_fingerprint(module: nn.Module) -> str:
    """Of a module's parameters as they are in memory."""
    return _combined(_module_parts(module))


def _combined(parts: Iterable[tuple[str, str]]) -> str:
    whole = hashlib.sha256()
    for name, digest in sorted(parts):
        whole.update(f"{name}\0{digest}\n".encode())
    return whole.hexdigest()


def _file_parts(file: Path) -> Iterable[tuple[str, str]]:
    with file.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        if size > _MAX_HEADER_BYTES:
            raise ModelError(f"'{file}' is not a safetensors file. Download it again.")
        try:
            header: dict[str, Any] = json.loads(handle.read(size))
        except ValueError as error:
            raise ModelError(f"The header of '{file}' is damaged. Download it again.") from error
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                begin, end = entry["data_offsets"]
                with memoryview(data)[8 + size + begin : 8 + size + end] as view:
                    yield name, _digest(entry["dtype"], entry["shape"], view)


def _module_parts(module: nn.Module) -> Iterable[tuple[str, str]]:
    for name, parameter in module.named_parameters():
        data = parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
        dtype = str(parameter.dtype).removeprefix("torch.")
        yield name, _digest(_DTYPES.get(dtype, dtype), list(parameter.shape), data.data)


def _digest(dtype: str, shape: list[int], data: Any) -> str:
    digest = hashlib.sha256(f"{dtype}{shape}".encode())
    digest.update(data)
    return digest.hexdigest()
