"""Names, shapes, dtypes and offsets of tensors in safetensors files, read from the headers alone.

The format (https://github.com/huggingface/safetensors, "Format"): eight bytes of little-endian
header length N, N bytes of JSON, then the data. Nothing in a header is trusted before it is
checked: a file may be cut off, or its header may be wrong about sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_ui.errors import ModelError
from qwen_ui.files import parse_json, parse_json_file
from qwen_ui.model.mistaken import not_what_it_seems, other_weights
from qwen_ui.model.weights.location import model_files

# A file of 100,000 tensors has a header of 15 MB; the format itself allows 100 MB.
MAX_HEADER = 16 * 1024**2
MAX_INDEX = 32 * 1024**2
MAX_TENSORS = 100_000  # of a file
MAX_DIMENSIONS = 16
MAX_NAME = 1_000  # characters
DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E8M0": ("float8_e8m0fnu", 1),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "U16": ("uint16", 2),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file: `start` is where its bytes begin, counted from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """All tensors of a checkpoint, by name, and how many bytes were read to know them."""

    tensors: dict[str, StoredTensor]
    files: tuple[Path, ...]
    bytes_read: int


def read_weights(path: Path) -> StoredWeights:
    """The tensors of a safetensors file, a sharded index, or a folder that transformers loads.

    Raises:
        ModelError: there is none, or a file is cut off, or a header or the index is wrong.
    """
    if path.is_dir():
        return _read_folder(path)
    if path.name.endswith(".index.json"):
        return _read_index(path)
    tensors, size = read_header(path)
    return StoredWeights(tensors, (path,), size)


def _read_folder(folder: Path) -> StoredWeights:
    """The files that transformers would load, which looks for these names in this order."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return _join([single], read=0)
    if index.is_file():
        return _read_index(index)
    files = model_files(folder)
    if not files:
        raise ModelError(
            other_weights(folder) or f"The folder '{folder}' has no safetensors files."
        )
    if len(files) > 1:
        raise ModelError(
            f"The folder '{folder}' has {len(files)} safetensors files ({files[0].name}, ...) and "
            "no model.safetensors.index.json that says what is in which. Download the index."
        )
    raise ModelError(
        f"The weights in '{folder}' are called {files[0].name}; transformers looks for "
        "model.safetensors. Rename the file."
    )


def _read_index(path: Path) -> StoredWeights:
    """A sharded checkpoint; index and headers must name the same tensors in the same files."""
    if said := not_what_it_seems(path):
        raise ModelError(said)
    if path.stat().st_size > MAX_INDEX:
        raise ModelError(f"The index '{path}' is larger than 32 MiB, which is too large.")
    try:
        mapped = parse_json_file(path)["weight_map"]
        placed = {str(name): str(file) for name, file in mapped.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The index '{path}' cannot be read ({type(error).__name__}). Download it again."
        ) from error
    names = sorted(set(placed.values()))
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(f"The index '{path}' names '{name}', not a file of its folder.")
        if not (path.parent / name).is_file():
            raise ModelError(f"The file '{name}' of the index '{path}' is missing. Download it.")
    found = _join([path.parent / name for name in names], read=path.stat().st_size)
    for name, file in placed.items():
        if name not in found.tensors or found.tensors[name].file.name != file:
            raise ModelError(f"The index '{path}' lists '{name}' in '{file}'; it is not there.")
    extra = found.tensors.keys() - placed.keys()
    if extra:
        raise ModelError(f"'{min(extra)}' is in a file but not in the index '{path}'.")
    return found


def _join(files: list[Path], read: int) -> StoredWeights:
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        inside, size = read_header(file)
        twice = tensors.keys() & inside.keys()
        if twice:
            raise ModelError(f"'{min(twice)}' is in '{file.name}' and in another file too.")
        tensors |= inside
        read += size
    return StoredWeights(tensors, tuple(files), read)


def read_header(file: Path) -> tuple[dict[str, StoredTensor], int]:
    """The tensors of one file, and the bytes read for them.

    Raises:
        ModelError: the file is cut off or its header is wrong.
    """
    if not file.is_file():
        raise ModelError(f"There is no file '{file}'.")
    if said := not_what_it_seems(file):
        raise ModelError(said)
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise ModelError(
                f"'{file}' is cut off: its header needs {length:,} bytes, the file has {size:,} in "
                "all. Download it again."
            )
        if length > MAX_HEADER:
            raise ModelError(f"'{file}' claims a header of {length:,} bytes; 16 MiB is the limit.")
        raw = stream.read(length)
    # An entry has one object and two lists; what has more takes memory and is no header.
    if raw.count(b"{") + raw.count(b"[") > 4 * MAX_TENSORS:
        raise ModelError(f"The header of '{file}' has more than {MAX_TENSORS:,} tensors.")
    try:
        entries = parse_json(raw)
    except ValueError as error:
        raise ModelError(f"The header of '{file}' is not JSON. Download it again.") from error
    if not isinstance(entries, dict):
        raise ModelError(f"The header of '{file}' is not a table of tensors.")
    entries.pop("__metadata__", None)
    tensors = {name: _entry(file, name, entry, 8 + length) for name, entry in entries.items()}
    _check_places(file, list(tensors.values()), 8 + length, size)
    return tensors, 8 + length


def _entry(file: Path, name: str, entry: Any, data: int) -> StoredTensor:
    if len(name) > MAX_NAME:
        raise ModelError(
            f"The header of '{file}' has a name of {len(name):,} characters ('{name[:60]}...'); "
            f"{MAX_NAME:,} is the limit."
        )
    try:
        dtype, width = DTYPES[entry["dtype"]]
        shape = tuple(entry["shape"])
        begin, end = entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The header of '{file}' describes '{name[:100]}' wrongly ({type(error).__name__})."
        ) from error
    if len(shape) > MAX_DIMENSIONS:
        raise ModelError(
            f"The header of '{file}' gives '{name[:100]}' {len(shape):,} dimensions; "
            f"{MAX_DIMENSIONS} is the limit."
        )
    numbers = (*shape, begin, end)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
        raise ModelError(f"The header of '{file}' gives '{name[:100]}' an invalid size.")
    if end - begin != math.prod(shape) * width:
        raise ModelError(
            f"The header of '{file}' gives '{name[:100]}' {end - begin:,} bytes; its shape "
            f"{list(shape)} in {dtype} needs {math.prod(shape) * width:,}."
        )
    return StoredTensor(name, dtype, shape, file, data + begin, end - begin)


def _check_places(file: Path, tensors: list[StoredTensor], data: int, size: int) -> None:
    """Tensors must lie one after the other, without holes, and end where the file ends."""
    at = data
    for tensor in sorted(tensors, key=lambda t: (t.start, t.bytes)):
        if tensor.start != at:
            raise ModelError(
                f"In '{file}', '{tensor.name[:100]}' overlaps another or leaves a hole."
            )
        at += tensor.bytes
    if at != size:
        what = "is cut off" if at > size else "is longer than its header says"
        raise ModelError(f"'{file}' {what}: {at:,} bytes expected, {size:,} found.")
