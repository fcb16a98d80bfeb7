"""LLaMA-Factory's YAML: freeze tuning, LoRA, or everything.

Freeze tuning (LLaMA-Factory ff6d4d1, `llamafactory/model/adapter.py`, `_setup_freeze_tuning`): a
parameter trains where its name contains one of `.{index}.{module}` for the first or last n blocks
and the modules named, or one of the extra modules. A module is the part of a name after the block's
index; an extra module is the last part but one of a name without an index. Others are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading
from qwen_ui.freeze.tools.llama_factory_lora import read_lora
from qwen_ui.freeze.tools.values import Values, flag, text, text_list, whole_number
from qwen_ui.model import Anatomy

_LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layer")


@dataclass(frozen=True, slots=True)
class FreezeSettings:
    """Its three settings; `layers` means the last n blocks, or the first n where negative."""

    layers: int
    modules: tuple[str, ...]
    extra: tuple[str, ...]

    def indexes(self, block_count: int) -> range:
        """The blocks that the number means."""
        n = self.layers
        return range(max(0, block_count - n), block_count) if n > 0 else range(min(-n, block_count))

    def parts(self, block_count: int, module: str) -> tuple[str, ...]:
        """The texts that a name is searched for, for one of the modules."""
        after = "" if module == "all" else module
        return tuple(f".{index:d}.{after}" for index in self.indexes(block_count))

    def matches(self, block_count: int, name: str) -> bool:
        """LLaMA-Factory's rule for one name."""
        wanted = (part for module in self.modules for part in self.parts(block_count, module))
        return any(part in name for part in (*wanted, *self.extra))


def read_llama_factory(values: Values, anatomy: Anatomy) -> Reading:
    """What LLaMA-Factory would train; LoRA where the file names no method, as it does.

    Raises:
        PlanError: a setting is of another type, or the method is unknown.
    """
    method = text(values, "finetuning_type", "lora")
    if method == "full":
        told = [Problem("note", "finetuning_type is full: LLaMA-Factory trains every tensor.")]
        if flag(values, "use_badam"):
            told.append(
                Problem(
                    "warning",
                    "use_badam trains some blocks or elements at a time, by a rule of BAdam's own "
                    "that lint does not read: the names may be fewer.",
                )
            )
        whole = frozenset(p.name for p in anatomy.parameters)
        reading = Reading("llama-factory", (), whole, problems=tuple(told))
        return _with_parts_of_images(reading, anatomy)
    if method == "freeze":
        return _with_parts_of_images(_freeze(values, anatomy), anatomy)
    if method in ("lora", "oft"):
        return _with_parts_of_images(read_lora(values, anatomy, method), anatomy)
    raise PlanError(f"LLaMA-Factory has no finetuning_type '{method[:40]}'.")


def _freeze(values: Values, anatomy: Anatomy) -> Reading:
    settings = FreezeSettings(
        whole_number(values, "freeze_trainable_layers", 2),
        text_list(values, "freeze_trainable_modules", split=",") or ("all",),
        text_list(values, "freeze_extra_modules", split=","),
    )
    count = layer_count(anatomy)
    names = tuple(p.name for p in anatomy.parameters)
    known, outside = hidden_modules(names), outer_modules(names)
    entries = [_layers_entry(settings, count, names)]
    problems = []
    for module in settings.modules:
        parts = settings.parts(count, module)
        found: tuple[str, ...] = ()
        if module == "all" or module in known:
            found = tuple(name for name in names if any(part in name for part in parts))
        else:
            problems.append(_unknown(module, known))
        entries.append(Entry("freeze_trainable_modules", module, found, candidates=known))
    for module in settings.extra:
        found = ()
        if module in outside:
            found = tuple(name for name in names if module in name)
        else:
            problems.append(_unknown(module, outside))
        entries.append(Entry("freeze_extra_modules", module, found, candidates=outside))
    if flag(values, "use_llama_pro"):
        raise PlanError(
            "use_llama_pro trains blocks that were added to the model. Lint an export of the "
            "larger model by its names."
        )
    whole = frozenset(name for entry in entries[1:] for name in entry.names)
    problems += _other_stacks(settings, count, anatomy, whole)
    return Reading("llama-factory", tuple(entries), whole, problems=tuple(problems))


def layer_count(anatomy: Anatomy) -> int:
    """What LLaMA-Factory counts the blocks by: the configuration, of the text where it has one."""
    whole: Any = anatomy.configuration
    config = getattr(whole, "text_config", whole)
    # Asked of the object, not of its JSON: some types call the number by another name in there.
    found = next((n for key in _LAYER_COUNTS if (n := getattr(config, key, None))), None)
    if not isinstance(found, int):
        raise PlanError(f"LLaMA-Factory does not support freeze tuning of {anatomy.source}.")
    return found


def hidden_modules(names: tuple[str, ...]) -> tuple[str, ...]:
    """What it takes for modules of a block: what follows `.0.` in names, or else `.1.`."""
    after = (
        name.split(part)[-1].split(".")[0]
        for name in names
        for part in (".0.", ".1.")
        if part in name and (part == ".0." or ".0." not in name)
    )
    return tuple(dict.fromkeys(after))


def outer_modules(names: tuple[str, ...]) -> tuple[str, ...]:
    """What it takes for modules outside the blocks: the last part but one of other names."""
    outside = (name.split(".") for name in names if not re.search(r"\.\d+\.", name))
    return tuple(dict.fromkeys(parts[-2] for parts in outside if len(parts) > 1))


def _layers_entry(settings: FreezeSettings, count: int, names: tuple[str, ...]) -> Entry:
    parts = settings.parts(count, "all")
    inside = tuple(name for name in names if any(part in name for part in parts))
    return Entry("freeze_trainable_layers", str(settings.layers), inside)


def _unknown(module: str, known: tuple[str, ...]) -> Problem:
    return Problem(
        "error",
        f"LLaMA-Factory stops: it finds no module '{module}'. It knows {', '.join(known[:12])}.",
    )


def _other_stacks(
    settings: FreezeSettings, count: int, anatomy: Anatomy, whole: frozenset[str]
) -> Iterator[Problem]:
    wanted = set(settings.indexes(count))
    stray = [
        p.name
        for p in anatomy.parameters
        if p.name in whole
        and p.block not in wanted
        and not any(module in p.name for module in settings.extra)
    ]
    if stray:
        yield Problem(
            "warning",
            f"LLaMA-Factory looks for the block's number anywhere in a name: {stray[0]} trains as "
            f"well, of {len(stray):,} tensors that are in none of these blocks.",
        )


def _with_parts_of_images(reading: Reading, anatomy: Anatomy) -> Reading:
    """A warning where the model has parts that LLaMA-Factory freezes by a table of its own."""
    if not isinstance(anatomy.config.get("vision_config"), dict):
        return reading
    told = Problem(
        "warning",
        "LLaMA-Factory freezes image tower and projector of models that it has in a table of its "
        "own (freeze_vision_tower, freeze_multi_modal_projector), which lint does not read: the "
        "names inside these parts may be fewer.",
    )
    return replace(reading, problems=(*reading.problems, told))
