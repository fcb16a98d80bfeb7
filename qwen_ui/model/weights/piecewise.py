"""A model whose weights are read from its files a part at a time, and dropped again.

What is not read stands on torch's meta device: it has a name, a shape and a dtype, and takes no
memory. A part is a module by its path (`model.layers.3`), or all that lies outside some of them.

Besides `rehearsal` and `weightless` the only file that reaches into transformers' loading: its own
conversion of stored names and tensors (fused projections, stacked experts), its own filling of
buffers that no file holds (rotary frequencies), and its mark on modules that are filled already.
`tests/model/weights/test_piecewise.py` holds each of them, family by family.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import Any

import torch
from torch import nn

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.libraries import (
    LoadStateDictConfig,
    PreTrainedModel,
    convert_and_load_state_dict_in_model,
    get_model_conversion_mapping,
)
from qwen_ui.model.weights.dequantizing import dequantizer
from qwen_ui.model.weights.headers import StoredTensor, read_weights
from qwen_ui.model.weights.loading import refuse_not_finite, untied_error
from qwen_ui.model.weights.rehearsal import rehearse
from qwen_ui.model.weights.rows import read_tensor
from qwen_ui.model.weights.weightless import weightless_model

# Stored name -> its tensor, or what stands in its place until it is read.
Stored = dict[str, Any]


class PiecewiseModel:
    """A language model of which only some parts have weights at a time.

    Args:
        folder: with the safetensors files.
        anatomy: of the model.
        dtype: of the weights in memory.
        device: where they go.

    Attributes:
        model: its parameters are on the meta device where they are not here.

    Raises:
        ModelError: the files do not hold this model.
    """

    def __init__(
        self, folder: Path, anatomy: Anatomy, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._folder, self._anatomy, self._dtype, self._device = folder, anatomy, dtype, device
        weights = read_weights(folder)
        self.model: PreTrainedModel = weightless_model(folder, anatomy, weights, dtype)
        # Some modules of some families stay in float32 whatever is asked for.
        self._dtypes = self.model._get_dtype_plan(dtype)
        self._absent: dict[str, torch.Tensor] = self.model.state_dict(keep_vars=True)
        self._places = {name: _place(self.model, name) for name in self._absent}
        self._ties = {name: p.names for p in anatomy.parameters for name in p.names}
        self._files = weights.tensors
        self._quantizer = dequantizer(anatomy.configuration)
        places = rehearse(anatomy.configuration, weights).places
        self._stored_as: dict[str, list[str]] = {}
        for stored, place in places.items():
            self._stored_as.setdefault(place.name, []).append(stored)
        self._drop_drawn()
        self._fill_buffers()

    def _drop_drawn(self) -> None:
        """Let go of parameters that a model's constructor drew itself (DiffLlama's lambdas).

        They are in memory at once, whatever the context, and would be taken for the files' values.
        """
        for name, tensor in self._absent.items():
            if isinstance(tensor, nn.Parameter) and not tensor.is_meta:
                self._absent[name] = nn.Parameter(tensor.to("meta"), tensor.requires_grad)
        self.drop(self._absent)

    def _fill_buffers(self) -> None:
        """Give the buffers that no file holds their values, as transformers does when it loads."""
        nothing: Any = set()
        self.model._move_missing_keys_from_meta_to_device(nothing, {"": self._device}, None, None)
        for module in self.model.modules():
            module._is_hf_initialized = False  # type: ignore[assignment]
        self.model.initialize_weights()
        for module in self.model.modules():
            module._is_hf_initialized = True  # type: ignore[assignment]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all that is stored of the model, aliases included."""
        return tuple(self._absent)

    def inside(self, module: str) -> tuple[str, ...]:
        """Names of what is stored of a module: its parameters, and buffers that files hold."""
        return tuple(name for name in self._absent if name.startswith(f"{module}."))

    def bytes(self, names: Iterable[str]) -> int:
        """Bytes of these tensors in memory, each once."""
        firsts = {self._names(name)[0] for name in names}
        return sum(self._absent[n].numel() * self._absent[n].element_size() for n in firsts)

    def is_here(self, name: str) -> bool:
        """Whether this tensor has its values."""
        return not self._tensor(name).is_meta

    def load(self, names: Iterable[str], read: Stored | None = None) -> tuple[str, ...]:
        """Read these tensors, with those tied to them; the names of what was not here before.

        None of them asks for a gradient: a plan is applied afterwards.

        Args:
            read: by a `reader` of these names; None reads them now.

        Raises:
            ModelError: the files lack one of them, or hold NaN or infinite values.
        """
        wanted = [name for name in names if not self.is_here(name)]
        groups = {self._names(name) for name in wanted}
        rules: Any = get_model_conversion_mapping(self.model, hf_quantizer=self._quantizer)
        settings = LoadStateDictConfig(
            dtype=self._dtype,
            dtype_plan=self._dtypes,
            device_map={"": self._device},
            weight_mapping=rules,
            hf_quantizer=self._quantizer,
        )
        stored = self._unread(wanted) if read is None else read
        info, _ = convert_and_load_state_dict_in_model(self.model, stored, settings)
        for group in groups:
            self._tie(group)
        lost = [name for name in wanted if not self.is_here(name)]
        if lost or info.conversion_errors:
            raise ModelError(
                f"'{(lost or list(info.conversion_errors))[0]}' cannot be read from "
                f"'{self._folder}' apart from other tensors. Load the whole model instead."
            )
        loaded = tuple(name for group in groups for name in group)
        for name in loaded:
            self._tensor(name).requires_grad_(False)
        some = [(group[0], self._tensor(group[0])) for group in groups]
        refuse_not_finite(some, self._anatomy, self._folder)
        return loaded

    def drop(self, names: Iterable[str]) -> None:
        """Let go of these tensors: only names, shapes and dtypes are left of them."""
        for name in names:
            self._put(name, self._absent[name])

    @contextmanager
    def here(self, names: Iterable[str], read: Stored | None = None) -> Iterator[None]:
        """Inside, these tensors have their values."""
        loaded = self.load(names, read)
        try:
            yield
        finally:
            self.drop(loaded)

    def reader(self, names: Iterable[str]) -> Callable[[], Stored]:
        """Reads these tensors as they are stored, for `load`: may be called in another thread.

        Into memory that a GPU copies from without waiting, where the model is on one.
        """
        unread = self._unread([name for name in names if not self.is_here(name)])
        pinned = self._device.type == "cuda"

        def read() -> Stored:
            return {
                name: tensor[...].pin_memory() if pinned else tensor[...]
                for name, tensor in unread.items()
            }

        return read

    def read_ahead(self, names: Iterable[str]) -> None:
        """Have the system read these tensors into its memory of files meanwhile."""
        if not hasattr(os, "posix_fadvise"):  # pragma: no cover  Linux has it, macOS has not
            return
        for stored in self._stored([name for name in names if not self.is_here(name)]):
            with stored.file.open("rb") as file:
                os.posix_fadvise(file.fileno(), stored.start, stored.bytes, os.POSIX_FADV_WILLNEED)

    def _names(self, name: str) -> tuple[str, ...]:
        """All names of a tensor, its own first one first."""
        return self._ties.get(name, (name,))

    def _stored(self, names: Iterable[str]) -> list[StoredTensor]:
        every = {alias: None for name in names for alias in self._names(name)}
        return [self._files[stored] for a in every for stored in self._stored_as.get(a, ())]

    def _unread(self, names: Iterable[str]) -> Stored:
        return {stored.name: _Unread(stored) for stored in self._stored(names)}

    def _tie(self, group: tuple[str, ...]) -> None:
        """Make the names of one tensor one tensor again: the files hold it by one of them."""
        held = [tensor for name in group if not (tensor := self._tensor(name)).is_meta]
        if not held:
            return
        if any(not torch.equal(held[0], other) for other in held[1:]):
            raise untied_error(group)
        for name in group:
            self._put(name, held[0])

    def _tensor(self, name: str) -> torch.Tensor:
        module, attribute = self._places[name]
        tensor: torch.Tensor = getattr(module, attribute)
        return tensor

    def _put(self, name: str, tensor: torch.Tensor) -> None:
        module, attribute = self._places[name]
        setattr(module, attribute, tensor)


@dataclass(frozen=True, slots=True)
class _Unread:
    """A tensor in a file, read when transformers comes to it.

    safetensors' own slices map the whole file, for as long as one of its tensors lasts.
    """

    stored: StoredTensor

    def is_floating_point(self) -> bool:
        """Asked before it is read, where weights are quantized."""
        dtype: torch.dtype = getattr(torch, self.stored.dtype)
        return dtype.is_floating_point

    def __getitem__(self, all_of_it: EllipsisType) -> torch.Tensor:
        return read_tensor(self.stored)


def _place(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module that holds a tensor, and the tensor's name there."""
    path, _, attribute = name.rpartition(".")
    return model.get_submodule(path), attribute
