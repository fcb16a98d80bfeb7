"""An adapter folder of peft's as what it makes of the base's tensors.

The adapters go onto a model without data; peft itself merges them, a module at a time, on the
base's tensors in float32. So whatever peft can merge (LoRA in its variants, DoRA, IA3, OFT, adapted
experts, modules that are saved whole) is read as peft means it.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from qwen_ui.errors import ModelError
from qwen_ui.model import Anatomy, build_on_meta
from qwen_ui.verify.checkpoint import Checkpoint
from qwen_ui.verify.values import Values, held_values

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SHOWN = 3


def read_adapter(folder: Path, anatomy: Anatomy, base: Checkpoint) -> Checkpoint:
    """The tensors of the base that an adapter folder changes, as they are with it.

    Raises:
        ModelError: the folder holds no adapter that can be merged, or one of another model.
    """
    tensors = _tensors(folder)
    model = build_on_meta(anatomy.configuration, torch.float32)
    names = {id(module): name for name, module in model.named_modules()}
    adapted = _adapted(model, folder)
    found = Checkpoint("adapter", dtype_counts=False)
    _load(adapted, tensors, found)
    merger = _Merger(adapted, names, anatomy, base)
    for name in merger.names:
        parameter = anatomy.by_name[name]
        values = Values(parameter.shape, "float32", partial(merger.read, name))
        found.values[parameter.name] = values
    if not found.values:
        raise ModelError(f"The adapter in '{folder}' is on no tensor of {anatomy.source}.")
    return found


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The adapter's tensors, mapped into memory."""
    if not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"The folder '{folder}' has no {WEIGHTS}. Save the adapter with `save_pretrained`, "
            "which writes safetensors; pickled files are not opened."
        )
    try:
        return load_file(folder / WEIGHTS)
    except SafetensorError as error:
        file = folder / WEIGHTS
        raise ModelError(f"'{file}' cannot be read ({error}). Copy it again.") from error


def _adapted(model: nn.Module, folder: Path) -> Any:
    """The model with the adapters on it, without values."""
    try:
        from peft import PeftConfig, get_peft_model  # noqa: PLC0415  optional, and slow
    except ImportError as error:
        raise ModelError(
            "An adapter folder is read by the package peft. Install it with `pip install peft`, or "
            "merge the adapter and verify the whole model."
        ) from error
    try:
        config: Any = PeftConfig.from_pretrained(str(folder))
        if config.is_prompt_learning:
            raise ModelError(
                f"The adapter in '{folder}' ({config.peft_type.value}) adds tokens and changes no "
                "tensor of the base, so there is nothing to compare."
            )
        config.inference_mode = True
        with warnings.catch_warnings():
            # peft 0.21 asks transformers 5.24 by a name that is on its way out, and tells of
            # settings that it mends itself.
            warnings.simplefilter("ignore")
            return get_peft_model(model, config, autocast_adapter_dtype=False)
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise ModelError(
            f"The adapter in '{folder}' does not go onto this base "
            f"({' '.join(str(error).split())[:240]}). Give the base that it was trained on."
        ) from error


def _load(adapted: Any, tensors: dict[str, torch.Tensor], found: Checkpoint) -> None:
    from peft import set_peft_model_state_dict  # noqa: PLC0415

    # The tensors as they are mapped, in the place of those without data; peft's own way to ask for
    # that moves them to where the base is, which is nowhere.
    adapted.load_state_dict = partial(adapted.load_state_dict, assign=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result: Any = set_peft_model_state_dict(adapted, tensors)
    except (RuntimeError, KeyError, ValueError) as error:
        raise ModelError(
            "The adapter's tensors do not fit this base "
            f"({' '.join(str(error).split())[:240]}). Give the base that it was trained on."
        ) from error
    unplaced = sorted(result.unexpected_keys)
    found.unexpected += unplaced
    # What an adapter lacks would be as chance made it.
    empty = [n for n, p in adapted.named_parameters() if p.is_meta and ".default" in n]
    if empty:
        more = len(empty) - _SHOWN
        listed = ", ".join(empty[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
        raise ModelError(
            f"The adapter's files lack {len(empty)} of its tensors ({listed}): they belong to "
            "another configuration. Save the adapter again."
        )


def _merge(layer: Any, place: str) -> None:
    try:
        layer.merge(adapter_names=["default"])
    except (NotImplementedError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"peft cannot merge the adapter on '{place}' "
            f"({' '.join(str(error).split())[:240] or type(error).__name__}). Verify a checkpoint "
            "that the training saved whole."
        ) from error


class _Merger:
    """Merges one module at a time; the last one is held.

    Args:
        adapted: peft's model, its adapters loaded.
        names: of the base's modules, by identity.
        base: the base's tensors.
    """

    def __init__(
        self, adapted: Any, names: dict[int, str], anatomy: Anatomy, base: Checkpoint
    ) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: PLC0415
        from peft.utils.other import ModulesToSaveWrapper  # noqa: PLC0415

        self._anatomy, self._base = anatomy, base
        self._layers: dict[str, list[Any]] = {}
        self._owners: dict[str, nn.Module] = {}
        self._saved: dict[str, torch.Tensor] = {}
        for module in adapted.modules():
            if isinstance(module, ModulesToSaveWrapper):
                place = names.get(id(module.original_module))
                if place is not None:
                    self._keep_saved(place, module.modules_to_save["default"])
            elif isinstance(module, BaseTunerLayer):
                owner = module.get_base_layer()
                place = names.get(id(owner))
                if place is not None:
                    self._layers.setdefault(place, []).append(module)
                    self._owners[place] = owner
        for place, owner in self._owners.items():
            # Biases that were trained beside the adapters are in the module already.
            for leaf, parameter in owner.named_parameters(recurse=False):
                if not parameter.is_meta:
                    self._saved[f"{place}.{leaf}"] = parameter.detach()
        self._of = {
            f"{place}.{leaf}": place
            for place, owner in self._owners.items()
            for leaf, _ in owner.named_parameters(recurse=False)
        }
        self._last: tuple[str, dict[str, torch.Tensor]] = ("", {})

    @property
    def names(self) -> list[str]:
        """Names of the tensors that may differ from the base's."""
        reached = [n for n in self._of if not self._is_plain_bias(n)]
        return [n for n in {**self._saved, **dict.fromkeys(reached)} if n in self._anatomy.by_name]

    def _is_plain_bias(self, name: str) -> bool:
        """A bias of an adapted module that the adapter does not hold, which merging leaves."""
        return name.endswith(".bias") and name not in self._saved

    def _keep_saved(self, place: str, module: nn.Module) -> None:
        for leaf, parameter in module.named_parameters():
            if not parameter.is_meta:
                self._saved[f"{place}.{leaf}"] = parameter.detach()

    def read(self, name: str, first: int, rows: int) -> torch.Tensor:
        """Rows of a tensor as it is with the adapters."""
        if name in self._saved and name not in self._of:
            return held_values(self._saved[name].float()).read(first, rows)
        place = self._of[name]
        if self._last[0] != place:
            self._last = place, self._merged(place)
        return held_values(self._last[1][name.removeprefix(f"{place}.")]).read(first, rows)

    @torch.no_grad()
    def _merged(self, place: str) -> dict[str, torch.Tensor]:
        owner = self._owners[place]
        empty = dict(owner.named_parameters(recurse=False))
        for leaf in empty:
            name = f"{place}.{leaf}"
            value = self._saved.get(name)
            if value is None:
                value = self._base.values[self._anatomy.by_name[name].name].whole()
            setattr(owner, leaf, nn.Parameter(value.float(), requires_grad=False))
        for layer in self._layers[place]:
            # It counts as merged from the last time that this module was asked for.
            layer.merged_adapters = []
            layer.float()  # as peft itself does with what is stored narrower
            _merge(layer, place)
        merged = {leaf: p.detach() for leaf, p in owner.named_parameters(recurse=False)}
        for leaf, parameter in empty.items():
            setattr(owner, leaf, parameter)
        return merged
