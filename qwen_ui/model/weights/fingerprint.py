"""Fingerprint of a model's weights: every tensor's name, dtype, shape and bytes, hashed.

The hashes of a file's tensors are kept under `QWEN_UI_HOME/fingerprints` for as long as the file is
the same one of the same size, last changed at the same time: reading 3 GB takes seconds, every run.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qwen_ui.errors import ModelError
from qwen_ui.files import read_object, write_json
from qwen_ui.model.weights.headers import DTYPES, StoredTensor, read_header
from qwen_ui.paths import home

PART_BYTES = 4 * 1024**2
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
    for name, digest in sorted(entry for file in files for entry in _kept_digests(file).items()):
        whole.update(f"{name}\0{digest}\n".encode())
    return whole.hexdigest()


def _kept_digests(file: Path) -> dict[str, str]:
    """As `_tensor_digests`, without reading a file that was read before."""
    status = file.stat()
    identity = [
        str(file.resolve()),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    ]
    name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    kept = home() / "fingerprints" / f"{name}.json"
    record = read_object(kept)
    if record is not None and all(isinstance(value, str) for value in record.values()):
        return record
    digests = _tensor_digests(file)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_json(kept, digests)
    return digests


def _tensor_digests(file: Path) -> dict[str, str]:
    """Name and hash of every tensor in a file."""
    tensors, _ = read_header(file)
    if not tensors:
        return {}
    # Reading and hashing let other threads run.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(tensors, pool.map(_digest, tensors.values()), strict=True))


def _digest(tensor: StoredTensor) -> str:
    """Read a part at a time: a file that is mapped counts as memory, whole."""
    digest = hashlib.sha256(f"{_CODES[tensor.dtype]}{list(tensor.shape)}".encode())
    part = memoryview(bytearray(min(tensor.bytes, PART_BYTES)))
    left = tensor.bytes
    with tensor.file.open("rb", buffering=0) as file:
        file.seek(tensor.start)
        while left:
            read = file.readinto(part[:left])
            if not read:
                raise ModelError(f"'{tensor.file}' is cut off in '{tensor.name}'.")
            digest.update(part[:read])
            left -= read
    return digest.hexdigest()
