"""Stored tensors -> the model's and back, a group at a time, by transformers' own conversion.

Most tensors are in the files as they are in the model. Some families stack experts, split or fuse
projections when they load: then a few stored tensors together become one or a few of the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import torch

from qwen_ui.model.libraries import (
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    get_model_conversion_mapping,
    rename_source_key,
    revert_weight_conversion,
)
from qwen_ui.model.skeleton import build_on_meta, configured_dtype
from qwen_ui.model.weights.dequantizing import dequantizer


class Conversion:
    """Converts groups of stored tensors of one architecture.

    Args:
        configuration: transformers' object.
        dtype: in which quantized weights become plain; None for the configuration's.
        dequantized: whether they do; else the rules are those of plain weights.
    """

    def __init__(
        self, configuration: Any, dtype: torch.dtype | None = None, *, dequantized: bool = True
    ) -> None:
        self._model = build_on_meta(configuration, dtype or configured_dtype(configuration))
        quantizer = dequantizer(configuration) if dequantized else None
        self._rules = rules = get_model_conversion_mapping(self._model, hf_quantizer=quantizer)
        self._renamings = [rule for rule in rules if isinstance(rule, WeightRenaming)]
        self._converters = [rule for rule in rules if isinstance(rule, WeightConverter)]
        self._by_pattern = {p: c for c in self._converters for p in c.source_patterns}
        self._known = self._model.state_dict()

    def converts(self, stored: str) -> bool:
        """Whether a tensor of this name in files is more than renamed when it loads."""
        _, pattern = rename_source_key(
            stored,
            self._renamings,
            self._converters,
            self._model.base_model_prefix,
            self._known,
        )
        return pattern is not None

    def convert(self, group: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The model's tensors, by name, that these stored ones become together.

        Args:
            group: by the names in the files: all that `rehearse` places at one name. On the meta
                device it tells names and shapes alone.

        Raises:
            RuntimeError, ValueError: their shapes do not go together.
        """
        mapping: Any = None
        target = ""
        for name in sorted(group, key=dot_natural_key):  # the loader's order
            found, pattern = rename_source_key(
                name,
                self._renamings,
                self._converters,
                self._model.base_model_prefix,
                self._known,
            )
            assert pattern is not None, "only what is converted is asked for"
            if mapping is None:
                mapping, target = deepcopy(self._by_pattern[pattern]), found
            mapping.add_tensor(found, name, pattern, group[name])
        converted = mapping.convert(target, model=self._model, config=self._model.config)
        # Rules for mxfp4 give parameters, of which whatever is computed would keep a graph.
        return {
            name: (values[0] if isinstance(values, list) else values).detach()
            for name, values in converted.items()
        }

    def recognize(self, names: Iterable[str]) -> None:
        """Take these names in files as examples of those that `revert` leads back to."""
        for name in names:
            rename_source_key(
                name,
                self._renamings,
                self._converters,
                self._model.base_model_prefix,
                self._known,
            )

    def revert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The stored tensors, by the names in the files, that these of the model become again.

        Args:
            tensors: by the names in the model: all that `convert` makes of a group whose names
                were converted, or recognized, before.
        """
        # As after a load: only rules that these files needed lead back to their names.
        used: Any = [rule for rule in self._rules if rule.was_used()]
        self._model._weight_conversions = used
        return dict(revert_weight_conversion(self._model, dict(tensors)))
