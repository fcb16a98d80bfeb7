r"""Axolotl's YAML: `unfrozen_parameters`, or LoRA.

The rule of `unfrozen_parameters` (Axolotl 067b021, `axolotl/utils/freeze.py`, `LayerNamePattern`):
a range in brackets at the end (`[:32000]`) is taken off first and means rows of the tensor. In what
is left, every dot that no `+` follows is a literal dot, so that `.*` is any number of *dots* and a
dot that was escaped already is a backslash and any character. The pattern is matched from the
beginning of the name, and needs no end.

Spectrum (0ed1756, `spectrum.py`) writes such a list, and always begins it with the head and the
embedding.

The rule of LoRA (`axolotl/loaders/adapter.py`): PEFT's, by other names, and with
`lora_target_linear` the last part of the name of every linear layer but the head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.adapter import adapter_from, one_or_list
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, in_tree_order, short_text
from qwen_ui.freeze.tools.lisa import with_lisa
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.freeze.tools.peft import read_adapter
from qwen_ui.freeze.tools.values import Values, flag, text, text_list, whole_number
from qwen_ui.model import Anatomy, match_names

_RANGE = re.compile(r"^(.+)\[([0-9]*)(?::([0-9]*))?\]$")
_LORA = {
    "target_modules": "lora_target_modules",
    "target_parameters": "lora_target_parameters",
    "modules_to_save": "lora_modules_to_save",
    "exclude_modules": "lora_exclude_modules",
    "layers_to_transform": "peft_layers_to_transform",
    "layers_pattern": "peft_layers_pattern",
    "rank_pattern": "lora_rank_pattern",
    "alpha_pattern": "lora_alpha_pattern",
    "trainable_token_indices": "peft_trainable_token_indices",
    "ensure_weight_tying": "peft_ensure_weight_tying",
    "use_dora": "peft_use_dora",
    "r": "lora_r",
    "lora_dropout": "lora_dropout",
}


@dataclass(frozen=True, slots=True)
class AxolotlPattern:
    """One of `unfrozen_parameters`.

    Attributes:
        expression: the regular expression that Axolotl makes of it.
        rows: first row and the one after the last (None for all that follow); None for no range.
    """

    expression: str
    rows: tuple[int, int | None] | None

    @classmethod
    def of(cls, written: str) -> AxolotlPattern:
        """The pattern of one entry.

        Raises:
            PlanError: a range that ends before it begins, which Axolotl refuses.
        """
        found = _RANGE.match(written)
        if found is None:
            return cls(_expression(written), None)
        base, start, end = found.groups()
        if end is None and start:
            return cls(_expression(base), (int(start), int(start) + 1))
        first, last = int(start or 0), int(end) if end else None
        if last is not None and first >= last:
            raise PlanError(f"Axolotl refuses '{written[:80]}': its range ends before it begins.")
        return cls(_expression(base), (first, last))


def _expression(pattern: str) -> str:
    return re.sub(r"\.(?!\+)", r"\\.", pattern)


def axolotl_matches(patterns: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """Of each pattern, the indexes of the names that Axolotl would train.

    Raises:
        PlanError: as `model.match_names`, or a range that Axolotl refuses.
    """
    return match_names([AxolotlPattern.of(p).expression for p in patterns], names, method="match")


def read_axolotl(values: Values, anatomy: Anatomy, format: str = "axolotl") -> Reading:
    """What Axolotl would train.

    Raises:
        PlanError: a setting is of another type than Axolotl's.
    """
    patterns = text_list(values, "unfrozen_parameters")
    adapter = text(values, "adapter")
    if adapter and adapter not in ("lora", "qlora", "dora"):
        raise PlanError(
            f"Axolotl's adapter '{adapter[:40]}' is not one that lint reads: lora, qlora."
        )
    if adapter and patterns:
        return _both(values, patterns, anatomy, format)
    if adapter:
        return _lora(values, anatomy, format)
    reading = _frozen(patterns, anatomy, format) if patterns else _everything(anatomy, format)
    blocks = whole_number(values, "lisa_n_layers", 0)
    if blocks and whole_number(values, "lisa_step_interval", 0):
        return with_lisa(reading, anatomy, "lisa_n_layers", blocks)
    return reading


def _everything(anatomy: Anatomy, format: str) -> Reading:
    told = Problem(
        "note", "There is neither an adapter nor unfrozen_parameters: Axolotl trains every tensor."
    )
    return Reading(format, (), frozenset(p.name for p in anatomy.parameters), problems=(told,))


def _frozen(patterns: Sequence[str], anatomy: Anatomy, format: str) -> Reading:
    names = tuple(p.name for p in anatomy.parameters)
    entries = tuple(
        Entry("unfrozen_parameters", pattern, tuple(names[i] for i in found), candidates=names)
        for pattern, found in zip(patterns, axolotl_matches(patterns, names), strict=True)
    )
    whole = frozenset(name for entry in entries for name in entry.names)
    problems = (*_about_dots(entries), *_about_ranges(entries, anatomy), *_spectrum(entries))
    return Reading(format, entries, whole, problems=tuple(problems))


def _about_dots(entries: Sequence[Entry]) -> Iterator[Problem]:
    for entry in entries:
        if not entry.names and re.search(r"\\\.|\.\*", entry.entry):
            yield Problem(
                "warning",
                f"Axolotl takes every dot of '{short_text(entry.entry)}' literally unless a + "
                "follows: write .+ for any text, and no backslash before a dot.",
            )


def _about_ranges(entries: Sequence[Entry], anatomy: Anatomy) -> Iterator[Problem]:
    sizes = {p.name: p.shape for p in anatomy.parameters}
    for entry in entries:
        rows = AxolotlPattern.of(entry.entry).rows
        if rows is None:
            continue
        for name in entry.names:
            last = sizes[name][0] if rows[1] is None else rows[1]
            if last > sizes[name][0] or rows[0] >= last:
                yield Problem(
                    "error",
                    f"Axolotl refuses '{entry.entry}': {name} has {sizes[name][0]:,} rows.",
                )
                break
        else:
            if entry.names:
                yield Problem(
                    "warning",
                    f"'{entry.entry}' trains rows {rows[0]:,} to "
                    f"{(sizes[entry.names[0]][0] if rows[1] is None else rows[1]) - 1:,} only, by "
                    "zeroing the other gradients; weight decay still moves the other rows. A plan "
                    "of whole tensors cannot say that: names and plan here mean the whole tensor.",
                )


def _spectrum(entries: Sequence[Entry]) -> Iterator[Problem]:
    written = [entry.entry for entry in entries[:2]]
    if written == ["^lm_head.weight$", "^model.embed_tokens.weight$"] and len(entries) > 2:
        yield Problem(
            "note",
            "Spectrum begins every list with the head and the embedding, whatever their signal to "
            "noise: they train beside what it ranked.",
        )


def _lora(values: Values, anatomy: Anatomy, format: str) -> Reading:
    given = {peft: values[own] for peft, own in _LORA.items() if values.get(own) is not None}
    if flag(values, "lora_target_linear"):
        listed = one_or_list(values, "lora_target_modules") or ()
        listed = (listed,) if isinstance(listed, str) else listed
        given["target_modules"] = list(dict.fromkeys((*listed, *_linear_leaves(anatomy))))
    elif given.get("target_modules") is None:
        given["target_modules"] = []
    return read_adapter(format, replace(adapter_from(given), names=_LORA), anatomy)


def _linear_leaves(anatomy: Anatomy) -> tuple[str, ...]:
    """`find_all_linear_names`: last parts of the names of linear layers, without the head's."""
    head = {"gpt_neox": "embed_out"}.get(anatomy.model_type, "lm_head")
    leaves = dict.fromkeys(
        part.name.rpartition(".")[2]
        for part in parts_of(anatomy).listed
        if part.kind == "linear"
        or ("Linear" in part.class_name and part.class_name != "LlamaLinearScalingRotaryEmbedding")
    )
    return tuple(leaf for leaf in leaves if leaf != head)


def _both(values: Values, patterns: Sequence[str], anatomy: Anatomy, format: str) -> Reading:
    """An adapter and patterns: these are matched against the names inside PEFT's wrapper."""
    lora = _lora(values, anatomy, format)
    prefix = "base_model.model."
    wrapped = {
        f"{prefix}{name.rpartition('.')[0]}.base_layer.{name.rpartition('.')[2]}"
        if name in lora.adapted
        else f"{prefix}{name}": name
        for name in (p.name for p in anatomy.parameters)
    }
    adapters = {f"{prefix}{n.rpartition('.')[0]}.lora_A.default.weight": n for n in lora.adapted}
    known = tuple((*wrapped, *adapters))
    entries = []
    for pattern, found in zip(patterns, axolotl_matches(patterns, known), strict=True):
        hit = [known[i] for i in found]
        names = in_tree_order(anatomy, ({**wrapped, **adapters}[name] for name in hit))
        entries.append(Entry("unfrozen_parameters", pattern, names, candidates=known))
    matched = {known[i] for found in axolotl_matches(patterns, known) for i in found}
    told = Problem(
        "warning",
        "With an adapter, Axolotl holds unfrozen_parameters against the names inside PEFT's "
        f"wrapper, which begin with {prefix}, and freezes all else: the adapter itself, too. Use "
        "lora_modules_to_save for what should train beside it.",
    )
    return Reading(
        format,
        (*lora.entries, *entries),
        frozenset(wrapped[name] for name in matched if name in wrapped),
        frozenset(adapters[name] for name in matched if name in adapters),
        lora.adapter_elements
        if set(adapters) <= matched
        else (None if set(adapters) & matched else 0),
        (*lora.problems, told),
    )
