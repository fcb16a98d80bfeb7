r"""Which modules PEFT gives an adapter, and which tensors it trains besides.

By the source of peft 0.21.2, `peft/tuners/tuners_utils.py`:

- `check_target_module_exists`: a listed target matches a module of that name, or one whose name
  ends with a dot and the target; `layers_to_transform` then keeps those whose first number after a
  dot is listed, but not a target that is a whole name. One text is a regular expression for the
  whole name. `exclude_modules` and `modules_to_save` go first.
- `_maybe_include_all_linear_layers`: `all-linear` is every `torch.nn.Linear` and transformers'
  `Conv1D`, without the head.
- `_inject_parameters`: `target_parameters` are tensors by the ends of their names.
- `_mark_only_adapters_as_trainable`: biases.

And by `peft/utils/other.py`, `_set_trainable`: a module to save is one whose name *ends with* the
text, with or without a dot before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from qwen_ui.freeze.tools.adapter import ALL_LINEAR, Adapter
from qwen_ui.freeze.tools.affixes import DottedEnds, Ends
from qwen_ui.freeze.tools.parts import Part, Parts, parts_of
from qwen_ui.freeze.tools.peft_methods import METHODS
from qwen_ui.model import Anatomy, match_names, matched_groups

# `peft/tuners/tuners_utils.py`, `_check_lora_target_modules_mamba`.
MAMBA_TYPES = frozenset({"falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h"})
NOT_IN_MAMBA = frozenset({"out_proj", "conv1d"})


@dataclass(frozen=True)
class PeftRule:
    """PEFT's rule for one adapter on one model; every answer is computed when it is asked for."""

    adapter: Adapter
    anatomy: Anatomy

    @cached_property
    def parts(self) -> Parts:
        return parts_of(self.anatomy)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Names of all modules but the model itself, each module once."""
        return tuple(part.name for part in self.parts.listed if part.name)

    @cached_property
    def _by_name(self) -> dict[str, Part]:
        return {part.name: part for part in self.parts.listed}

    @cached_property
    def matched(self) -> dict[str, frozenset[str]]:
        """Of each target, the modules that it alone would adapt."""
        target = self.adapter.target
        if target is None:
            return {}
        if isinstance(target, str):
            if target.lower() == ALL_LINEAR:
                return {target: frozenset(self.all_linear) - self.left_out}
            return {target: frozenset(self.meant_by(target, self.keys))}
        ends = DottedEnds(self.keys)
        return {
            item: frozenset(k for k in ends.having(item) if k == item or self._in_layers(k))
            - self.left_out
            for item in target
        }

    @cached_property
    def all_linear(self) -> tuple[str, ...]:
        """What `all-linear` means here."""
        return tuple(
            part.name
            for part in self.parts.listed
            if part.kind in ("linear", "conv1d") and part.name != self.parts.head
        )

    @cached_property
    def targeted(self) -> tuple[str, ...]:
        """All modules that get an adapter, in tree order."""
        found = frozenset().union(*self.matched.values())
        return tuple(key for key in self.keys if key in found)

    @cached_property
    def excluded(self) -> dict[str, frozenset[str]]:
        """Of each exclusion, the modules that it keeps from being adapted."""
        return self._excluded_of(self.keys)

    def _excluded_of(self, names: Sequence[str]) -> dict[str, frozenset[str]]:
        exclude = self.adapter.exclude
        if isinstance(exclude, str):
            return {exclude: frozenset(_full(exclude, names))} if exclude else {}
        ends = DottedEnds(names) if exclude else DottedEnds(())
        return {item: frozenset(ends.having(item)) for item in exclude}

    @cached_property
    def left_out(self) -> frozenset[str]:
        """Modules that no target reaches: excluded, or inside what is trained as a copy."""
        return self._left_out_of(self.keys)

    def meant_by(self, pattern: str, names: Sequence[str]) -> set[str]:
        """Of any names, those that a target written as a regular expression takes."""
        return set(_full(pattern, names)) - self._left_out_of(names)

    def _left_out_of(self, names: Sequence[str]) -> frozenset[str]:
        saved = [rf"(?:^|.*\.){item}(?:$|\..*)" for item in self.adapter.save]
        inside = match_names(saved, names, method="match")
        out = {names[index] for found in inside for index in found}
        return frozenset(out).union(*self._excluded_of(names).values())

    @cached_property
    def saved(self) -> dict[str, frozenset[str]]:
        """Of each module to save, the modules that are copied and train whole."""
        return {item: frozenset(self._ends.having(item)) for item in self.adapter.save}

    def token_modules(self, item: str) -> tuple[str, ...]:
        """Of a module of `trainable_token_indices`, the names; of "" the embedding's."""
        if not item:
            return tuple(filter(None, (self.parts.embedding,)))
        return tuple(self._ends.having(item))

    @cached_property
    def whole_and_in_rows(self) -> frozenset[str]:
        """First names of tensors that are copied whole, and of which some rows train beside that.

        PEFT stops only where both settings write the module in one way.
        """
        whole = self.tensors(module for modules in self.saved.values() for module in modules)
        items = self.adapter.tokens
        return frozenset(whole) & self.tensors(
            m for item in items for m in self.token_modules(item)
        )

    def tensors(self, modules: Iterable[str]) -> set[str]:
        """First names of these modules' weights."""
        weights = (self.anatomy.by_name.get(f"{module}.weight") for module in modules)
        return {parameter.name for parameter in weights if parameter is not None}

    @cached_property
    def _ends(self) -> Ends:
        return Ends(path for path in self.parts.paths if path)

    @cached_property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """Of each target parameter, the names of the tensors that it means."""
        ends = DottedEnds(p.name for p in self.anatomy.parameters)
        return {item: tuple(ends.having(item)) for item in self.adapter.parameters}

    @cached_property
    def biases(self) -> frozenset[str]:
        """Biases that train because of `bias`."""
        names = (p.name for p in self.anatomy.parameters)
        if self.adapter.bias == "all":
            return frozenset(n for n in names if n == "bias" or n.endswith(".bias"))
        if self.adapter.bias == "lora_only":
            of = {f"{module}.bias" for module in self.adapted_modules}
            of |= {f"{name.rpartition('.')[0]}.bias" for name in self.adapted_parameters}
            return frozenset(n for n in names if n in of)
        return frozenset()

    @property
    def adapted_modules(self) -> tuple[str, ...]:
        """Targeted modules of a class that PEFT can adapt."""
        return tuple(name for name in self.targeted if self.kind(name) in self.adaptable)

    @property
    def adaptable(self) -> tuple[str, ...]:
        """Kinds of modules that PEFT can adapt by this method."""
        return METHODS[self.adapter.method].adapts

    @property
    def adapted_parameters(self) -> tuple[str, ...]:
        """Targeted tensors of two or three dimensions, which PEFT can adapt."""
        shapes = {p.name: len(p.shape) for p in self.anatomy.parameters}
        found = dict.fromkeys(name for names in self.parameters.values() for name in names)
        return tuple(name for name in found if shapes[name] in (2, 3))

    def part(self, module: str) -> Part:
        return self._by_name[module]

    def kind(self, module: str) -> str:
        return self._by_name[module].kind

    def by_pattern(self, patterns: Iterable[str], names: Iterable[str]) -> dict[str, set[str]]:
        """Of each pattern of `rank_pattern` or `alpha_pattern`, what it matches of these names.

        `peft/utils/other.py`, `get_pattern_key`: the end of a name, after a dot or whole.
        """
        asked, of = list(patterns), list(names)
        found = match_names([rf"(?:.*\.)?(?:{key})$" for key in asked], of, method="match")
        return {key: {of[i] for i in indexes} for key, indexes in zip(asked, found, strict=True)}

    def _in_layers(self, key: str) -> bool:
        """Whether a module is in one of the layers; one whose whole name is listed is not asked."""
        return self._layers is None or self.layer_indexes[key] in self._layers

    @cached_property
    def _layers(self) -> frozenset[int | None] | None:
        return None if self.adapter.layers is None else frozenset(self.adapter.layers)

    @cached_property
    def layer_indexes(self) -> dict[str, int | None]:
        """Of every module, the index that `layers_to_transform` is held against."""
        if not self.adapter.layers_pattern:
            found = (re.match(r".*?\.[^.]*\.(\d+)\.", key) for key in self.keys)
            return {
                key: int(match[1]) if match else None
                for key, match in zip(self.keys, found, strict=True)
            }
        patterns = [rf"(?:^|.*?\.){p}\.(?P<index>\d+)\." for p in self.adapter.layers_pattern]
        groups = matched_groups(patterns, self.keys, "index")
        firsts = (
            next((g for g in per_key if g is not None), None)
            for per_key in zip(*groups, strict=True)
        )
        return {
            key: int(first) if first and first.isdecimal() else None
            for key, first in zip(self.keys, firsts, strict=True)
        }


def _full(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that the pattern matches as a whole."""
    (found,) = match_names([pattern], names, method="fullmatch")
    return [names[index] for index in found]
