"""What transformers makes of weight files, found out by its own loader from their headers alone.

The loader runs on the meta device: names are renamed, experts stacked and projections fused as in
`from_pretrained`, on tensors that have a shape and no data. It takes a few hundredths of a second
for a small model, and memory for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from qwen_ui.model.libraries import (
    LoadStateDictConfig,
    PreTrainedModel,
    WeightConverter,
    WeightRenaming,
    convert_and_load_state_dict_in_model,
    disable_progress_bar,
    dot_natural_key,
    get_model_conversion_mapping,
    rename_source_key,
)
from qwen_ui.model.skeleton import build_on_meta, configured_dtype
from qwen_ui.model.weights.dequantizing import dequantizer
from qwen_ui.model.weights.headers import StoredWeights

# What torch says where a conversion looks at values, which headers do not have.
_NEEDS_VALUES = re.compile(r"meta tensor|item\(\) cannot|data-dependent", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stored tensor goes: the name it has in the model (of several, the first), and
    whether it is converted on the way (stacked, split, transposed) or renamed at most.
    """

    name: str
    converted: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What loading would do.

    Attributes:
        missing: names in the model that nothing in the files becomes; of a tie, one suffices.
        unexpected: names in the files that become nothing in the model.
        mismatched: (name in the model, shape that the files give, shape in the model).
        failed: names in the model whose conversion fails, with the error.
        unknown: names in the model whose conversion needs values: not known before loading.
        places: name in the files to its place in the model.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    failed: dict[str, str]
    unknown: tuple[str, ...]
    places: dict[str, Place]


def rehearse(configuration: Any, weights: StoredWeights) -> Rehearsal:
    """Load the headers of these files into the model of this configuration.

    Raises:
        ModelError: no such model can be built.
    """
    disable_progress_bar()
    dtype = configured_dtype(configuration)
    model = build_on_meta(configuration, dtype)
    quantizer = dequantizer(configuration)
    rules: Any = get_model_conversion_mapping(model, hf_quantizer=quantizer)
    places = _places(model, rules, weights.tensors)
    stored = {
        tensor.name: torch.empty(tensor.shape, dtype=getattr(torch, tensor.dtype), device="meta")
        for tensor in weights.tensors.values()
    }
    settings = LoadStateDictConfig(
        dtype=dtype, device_map={"": "meta"}, weight_mapping=rules, hf_quantizer=quantizer
    )
    info, _ = convert_and_load_state_dict_in_model(model, stored, settings)
    model.tie_weights(missing_keys=info.missing_keys, recompute_mapping=False)
    model._adjust_missing_and_unexpected_keys(info)
    errors = {name: text.strip().splitlines()[-1] for name, text in info.conversion_errors.items()}
    unknown = {n for n in errors if _NEEDS_VALUES.search(info.conversion_errors[n])}
    stored_as = {place.name: name for name, place in places.items()}
    return Rehearsal(
        missing=_in_order(model, info.missing_keys - errors.keys()),
        unexpected=tuple(
            sorted({stored_as[n] for n in info.unexpected_keys if n in stored_as}, key=_natural)
        ),
        mismatched=tuple(
            (name, tuple(found), tuple(wanted))
            for name, found, wanted in sorted(info.mismatched_keys, key=lambda m: _natural(m[0]))
        ),
        failed={name: said for name, said in errors.items() if name not in unknown},
        unknown=tuple(sorted(unknown, key=_natural)),
        places=places,
    )


def _places(model: PreTrainedModel, rules: Sequence[Any], names: Iterable[str]) -> dict[str, Place]:
    """Where each stored name goes, by the rules that the loader follows."""
    renamings = [rule for rule in rules if isinstance(rule, WeightRenaming)]
    converters = [rule for rule in rules if isinstance(rule, WeightConverter)]
    known, prefix = model.state_dict(), model.base_model_prefix
    places = {}
    for name in sorted(names, key=dot_natural_key):  # the loader's order: some rules depend on it
        found, pattern = rename_source_key(name, renamings, converters, prefix, known)
        if found not in known and name in known:
            found, pattern = rename_source_key(name, [], [], prefix, known)
        places[name] = Place(found, converted=pattern is not None)
    return places


def _in_order(model: PreTrainedModel, names: set[str]) -> tuple[str, ...]:
    """In the order of the module tree."""
    return tuple(name for name in model.state_dict() if name in names)


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
