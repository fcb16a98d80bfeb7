"""Headers and indexes of safetensors files are checked before they are believed."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.errors import ModelError
from qwen_ui.model.weights.headers import MAX_HEADER, read_header, read_weights


def raw_file(folder: Path, header: object, data: int = 0, length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    file = folder / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(data))
    return file


def entry(shape: list[Any], begin: Any, end: Any, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda d: raw_file(d, b"", length=50), "cut off"),
        (lambda d: raw_file(d, {"a": entry([2], 0, 8)}, data=4), "is cut off"),
        (lambda d: raw_file(d, {"a": entry([2], 0, 8)}, data=9), "longer than its header"),
        (lambda d: raw_file(d, {"a": entry([3], 0, 8)}, data=8), "needs 12"),
        (lambda d: raw_file(d, {"a": entry([-2], 0, 8)}, data=8), "an invalid size"),
        (lambda d: raw_file(d, {"a": entry([True], 0, 4)}, data=4), "an invalid size"),
        (lambda d: raw_file(d, {"a": entry([2], 0, 8, "F3")}, data=8), "wrongly"),
        (lambda d: raw_file(d, {"a": {}}), "wrongly"),
        (lambda d: raw_file(d, {"a": None}), "wrongly"),
        (lambda d: raw_file(d, {"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, data=4), "overlaps"),
        (lambda d: raw_file(d, {"a": entry([1], 4, 8)}, data=8), "hole"),
        (lambda d: raw_file(d, b"{nonsense", data=8), "not JSON"),
        (lambda d: raw_file(d, b"[]"), "not a table"),
        (lambda d: raw_file(d, b"[" * 100_000), "not JSON"),
    ],
)
def test_a_wrong_header_is_one_clear_sentence(
    tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read_header(make(tmp_path))
    assert says in str(caught.value)
    assert "model.safetensors" in str(caught.value)


def test_an_oversized_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", MAX_HEADER + 1))
        stream.truncate(MAX_HEADER + 100)
    with pytest.raises(ModelError, match="16 MiB is the limit"):
        read_header(file)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(tmp_path_factory: Any, raw: bytes) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "x.safetensors"
    file.write_bytes(raw)
    with contextlib.suppress(ModelError):
        read_header(file)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda index: index.update(weight_map=3), "cannot be read"),
        (
            lambda index: index["weight_map"].update(ghost="model-00001-of-00002.safetensors"),
            "ghost",
        ),
        (
            lambda index: index["weight_map"].update(x="../secret.safetensors"),
            "not a file of its",
        ),
        (lambda index: index["weight_map"].update(x="model-00003.safetensors"), "is missing"),
        (lambda index: index["weight_map"].pop("model.norm.weight"), "not in the index"),
    ],
)
def test_a_wrong_index_is_one_clear_sentence(
    sharded: Path, spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    index = json.loads(sharded.read_text())
    spoil(index)
    sharded.write_text(json.dumps(index))
    with pytest.raises(ModelError, match=says):
        read_weights(sharded)


def test_shapes_names_and_numbers_of_tensors_have_bounds(tmp_path: Path) -> None:
    def refused(entries: dict[str, object]) -> str:
        raw = json.dumps(entries).encode()
        file = tmp_path / "model.safetensors"
        file.write_bytes(len(raw).to_bytes(8, "little") + raw)
        with pytest.raises(ModelError) as caught:
            read_header(file)
        assert len(str(caught.value)) < 600
        return str(caught.value)

    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    assert "1,000 dimensions; 16 is the limit" in refused({"a": entry | {"shape": [0] * 1000}})
    assert "a name of 3,000 characters" in refused({"a" * 3000: entry})
    assert "more than 100,000 tensors" in refused({"a": [[]] * 400_001})
    assert "not JSON" in refused({"a": deep(150)})


def deep(levels: int) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value
