"""What a person names as the tuned checkpoint, whatever form it has -> a `Checkpoint`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from qwen_ui.engine import Delta, WeightChanges, delta_file, read_delta
from qwen_ui.errors import ModelError, UserError
from qwen_ui.model import Anatomy, is_hub_id, open_model, preset_models
from qwen_ui.model.weights import (
    StoredTensor,
    folder_fingerprint,
    is_dequantized,
    quantization_of,
    read_weights,
    refuse_unreadable,
    weights_of,
)
from qwen_ui.paths import named_path, runs_folder
from qwen_ui.runs import DELTA_NAME
from qwen_ui.verify.adapters import CONFIG, read_adapter
from qwen_ui.verify.checkpoint import Checkpoint, read_checkpoint
from qwen_ui.verify.values import Buffer, Values

_ADAPTER_FILES = "adapter_model.safetensors"


def open_tuned(named: str, anatomy: Anatomy, base: Checkpoint) -> Checkpoint:
    """The checkpoint that a person names.

    Args:
        named: a folder (of a model, an adapter, a run), a safetensors file or its index, a run, a
            preset or a hub id whose files are on this machine.
        anatomy: of the base.
        base: its tensors, read through a buffer that nobody else reads through.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = named_path(named)
    if path is None and (runs_folder() / named).is_dir():
        return _read_delta(delta_file(named), anatomy, base)
    if path is None:
        adapter = _cached_adapter(named)
        if adapter is not None:
            return read_adapter(adapter, anatomy, base)
        return _read_model(named, anatomy)
    if path.is_file() and path.name == _ADAPTER_FILES and (path.parent / CONFIG).is_file():
        path = path.parent
    if path.is_dir():
        return _read_folder(path, anatomy, base)
    if path.name.endswith(".safetensors") and _is_delta(path):
        return _read_delta(path, anatomy, base)
    if path.name.endswith((".safetensors", ".index.json")):
        return _read_files(path, path.parent, anatomy)
    return _read_model(named, anatomy)


def _read_folder(folder: Path, anatomy: Anatomy, base: Checkpoint) -> Checkpoint:
    weighty = (folder / "model.safetensors").is_file() or any(folder.glob("*.index.json"))
    if (folder / CONFIG).is_file() and not weighty:
        return read_adapter(folder, anatomy, base)
    if (folder / DELTA_NAME).is_file() and not weighty:
        return _read_delta(folder / DELTA_NAME, anatomy, base)
    return _read_files(folder, folder, anatomy)


def _read_files(path: Path, folder: Path, anatomy: Anatomy) -> Checkpoint:
    """Whole weights, by their own configuration; by the base's where none is beside them."""
    weights = read_weights(path)
    if (folder / "config.json").is_file():
        own = open_model(str(folder))
        refuse_unreadable(own, weights)
    else:
        own = anatomy
        method = quantization_of(own, weights)
        if method and not is_dequantized(own.config):
            raise ModelError(
                f"The weights in '{path}' are quantized ({method}), and no config.json beside them "
                "says how. Put the checkpoint's own config.json there."
            )
    return read_checkpoint(anatomy, weights, own)


def _read_model(named: str, anatomy: Anatomy) -> Checkpoint:
    if named_path(named) is None and named not in preset_models() and not is_hub_id(named):
        raise ModelError(
            f"There is no checkpoint '{named[:200]}'. Give a folder (of a model, of an adapter, of "
            "a run), a safetensors file, a run's name, or a hub id that was downloaded."
        )
    own = open_model(named)
    weights = weights_of(own)
    refuse_unreadable(own, weights)
    return read_checkpoint(anatomy, weights, own)


def _cached_adapter(named: str) -> Path | None:
    """The folder of an adapter of the hub's that was downloaded before."""
    if not is_hub_id(named):
        return None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  slow

    found = try_to_load_from_cache(named, CONFIG)
    return Path(found).parent if isinstance(found, str) else None


def _is_delta(file: Path) -> bool:
    try:
        read_delta(file, tensors=False)
    except UserError:
        return False
    return True


def _read_delta(file: Path, anatomy: Anatomy, base: Checkpoint) -> Checkpoint:
    """A delta of ours: it holds what was trained, in the dtype that it was trained in."""
    delta = read_delta(file, tensors=False)
    found = Checkpoint("delta", dtype_counts=False, plan=delta.plan)
    if anatomy.weights_folder is not None and (
        folder_fingerprint(anatomy.weights_folder) != delta.base
    ):
        trained_on = delta.settings.get("model", "another model")
        found.notes.append(
            (
                "error",
                f"The delta was trained on other weights ('{trained_on}') than those of "
                f"'{anatomy.source}'.",
            )
        )
    stored = read_weights(file).tensors
    buffer = Buffer()
    for name, values in (
        _added(delta, stored, buffer, anatomy, base)
        if delta.adapters
        else ((name, buffer.values(tensor)) for name, tensor in stored.items())
    ):
        if name in anatomy.by_name:
            found.values[anatomy.by_name[name].name] = values
        else:
            found.unexpected.append(name)
    if delta.adapters:
        found.form = "adapter"
    return found


def _added(
    delta: Delta,
    stored: dict[str, StoredTensor],
    buffer: Buffer,
    anatomy: Anatomy,
    base: Checkpoint,
) -> list[tuple[str, Values]]:
    """What LoRA's adapters make of the base's tensors."""
    groups: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in stored.items():
        groups.setdefault(name.partition(".lora_")[0], {})[name] = tensor
    adder = _Adder(buffer, base)
    found = []
    for place, tensors in groups.items():
        stacked = all(len(tensor.shape) == 3 for tensor in tensors.values())
        name = place if stacked else f"{place}.weight"
        if name not in anatomy.by_name:
            raise ModelError(f"The delta adapts '{name}', which {anatomy.source} does not have.")
        first_name = anatomy.by_name[name].name
        read = partial(adder.read, first_name, tensors)
        found.append((first_name, Values(anatomy.by_name[name].shape, "float32", read)))
    return found


class _Adder:
    """Adds B A to the base's tensors; the last product is held."""

    def __init__(self, buffer: Buffer, base: Checkpoint) -> None:
        self._buffer, self._base = buffer, base
        self._last: tuple[str, torch.Tensor] = ("", torch.empty(0))

    def read(
        self, name: str, tensors: dict[str, StoredTensor], first: int, rows: int
    ) -> torch.Tensor:
        if self._last[0] != name:
            held = {n: self._buffer.values(tensor).whole() for n, tensor in tensors.items()}
            (change,) = WeightChanges(held).values()
            self._last = name, change.reshape(-1, change.shape[-1])
        base = self._base.values[name].read(first, rows)
        return base.float() + self._last[1][first : first + rows]
