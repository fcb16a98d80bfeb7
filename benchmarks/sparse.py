"""A sharded checkpoint with true headers and holes where the data would be."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any


def write_sharded(folder: Path, shapes: dict[str, tuple[int, ...]], files: int = 2) -> Path:
    """Sparse bfloat16 files with these tensors, and their index, whose path is given back."""
    names = list(shapes)
    placed: dict[str, str] = {}
    for number in range(files):
        part = names[number * len(names) // files : (number + 1) * len(names) // files]
        file = f"model-{number + 1:05}-of-{files:05}.safetensors"
        write_sparse(folder / file, {name: shapes[name] for name in part})
        placed |= dict.fromkeys(part, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return index


def write_sparse(file: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    """One bfloat16 file of these names and shapes."""
    header: dict[str, Any] = {}
    at = 0
    for name, shape in tensors.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(raw)) + raw)
        stream.truncate(8 + len(raw) + at)
