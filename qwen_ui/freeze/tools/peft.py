"""PEFT's `adapter_config.json`, and any adapter that another tool hands to PEFT, on one model."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import replace

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.adapter import ALL_LINEAR, Adapter, adapter_from
from qwen_ui.freeze.tools.affixes import Beginnings
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, in_tree_order
from qwen_ui.freeze.tools.peft_methods import METHODS, lacking
from qwen_ui.freeze.tools.peft_moe import translated
from qwen_ui.freeze.tools.peft_refusals import refusals
from qwen_ui.freeze.tools.peft_rule import PeftRule
from qwen_ui.freeze.tools.peft_size import adapter_elements
from qwen_ui.freeze.tools.values import Values, text
from qwen_ui.model import Anatomy


def read_peft(values: Values, anatomy: Anatomy, *, script: bool = False) -> Reading:
    """What `get_peft_model` would do with this configuration.

    Args:
        values: its settings.
        anatomy: of the model.
        script: whether a script makes it; else it is read from a file.

    Raises:
        PlanError: it selects no modules (prompt tuning), or a setting is of another type.
    """
    method = text(values, "peft_type", "LORA").upper()
    if method not in METHODS:
        raise PlanError(
            f"The file configures '{method[:40]}', whose tensors are not found by LoRA's rule. "
            f"Lint reads {', '.join(sorted(METHODS))}."
        )
    unknown = METHODS[method].unknown(values)
    values = {key: value for key, value in values.items() if key not in unknown}
    if values.get("layer_replication"):
        raise PlanError(
            "`layer_replication` repeats blocks before anything is matched, and lint has the model "
            "as it is. Take the setting out, and lint the rest."
        )
    adapter = adapter_from(values, method)
    return read_adapter(
        "peft", adapter, anatomy, [lacking(method, unknown, script=script)] if unknown else ()
    )


def read_adapter(
    format: str, adapter: Adapter, anatomy: Anatomy, more: Sequence[Problem] = ()
) -> Reading:
    """What PEFT would do with an adapter that a tool hands to it.

    Args:
        format: name of the tool's format.
        more: problems that the tool's own rule adds.

    Raises:
        PlanError: no targets are given and PEFT's default for this model is not known.
    """
    given = adapter
    if adapter.target is None and not adapter.parameters:
        adapter = replace(adapter, target=default_target(anatomy, adapter.method))
    moved = translated(adapter, anatomy)
    rule = PeftRule(adapter if moved is None else moved.adapter, anatomy)
    adapted = in_tree_order(
        anatomy, (*(f"{m}.weight" for m in rule.adapted_modules), *rule.adapted_parameters)
    )
    entries = [
        *_target_entries(rule, adapter, {} if moved is None else moved.meant),
        *_other_entries(rule, given, adapted),
    ]
    whole = frozenset(n for e in entries if e.setting == "modules_to_save" for n in e.names)
    whole |= frozenset(in_tree_order(anatomy, rule.biases))
    whole |= frozenset(
        n for e in entries if e.setting == "trainable_token_indices" for n in e.names
    )
    problems = [*more, *refusals(rule), *_beyond(rule)]
    if moved is not None and moved.refusal:
        problems.append(Problem("error", moved.refusal))
    return Reading(
        format,
        tuple(replace(entry, setting=given.called(entry.setting)) for entry in entries),
        whole,
        frozenset(adapted),
        adapter_elements(rule),
        tuple(problems),
        _second_copies(rule),
        _rows(rule),
    )


def _rows(rule: PeftRule) -> dict[str, int]:
    """Of the tensors of which some rows train, how many elements these have."""
    by_name = rule.anatomy.by_name
    weights = {
        f"{module}.weight": count
        for item, count in rule.adapter.tokens.items()
        for module in rule.token_modules(item)
    }
    return {
        by_name[name].name: count * by_name[name].shape[-1]
        for name, count in weights.items()
        if name in by_name
    }


def _second_copies(rule: PeftRule) -> int:
    """Elements of the copies that PEFT makes of a tensor beyond its first: one for each name."""
    saved = tuple(f"{module}." for modules in rule.saved.values() for module in modules)
    return sum(
        p.numel * (sum(name.startswith(saved) for name in p.names) - 1)
        for p in rule.anatomy.parameters
        if p.aliases and any(name.startswith(saved) for name in p.names)
    )


def default_target(anatomy: Anatomy, method: str = "LORA") -> str | tuple[str, ...]:
    """PEFT's own targets for this type of model, asked of the library that is installed.

    Raises:
        PlanError: it is not installed, or knows none.
    """
    if importlib.util.find_spec("peft") is None:
        raise PlanError(
            "The file names no targets, so that PEFT takes its default for the model, and peft is "
            "not installed here to look that up. Name target_modules, or install peft."
        )
    from peft.utils import constants  # noqa: PLC0415  optional, and seconds

    defaults = getattr(constants, f"TRANSFORMERS_MODELS_TO_{method}_TARGET_MODULES_MAPPING", {})
    found = defaults.get(anatomy.model_type)
    if found is None:
        raise PlanError(
            f"The file names no targets, and PEFT has no default for '{anatomy.model_type}': it "
            "would stop. Name target_modules."
        )
    return found if isinstance(found, str) else tuple(found)


def _target_entries(
    rule: PeftRule, adapter: Adapter, meant: dict[str, tuple[str, ...]]
) -> Iterable[Entry]:
    leaves = tuple(dict.fromkeys(key.rpartition(".")[2] for key in rule.keys))
    listed = (adapter.target,) if isinstance(adapter.target, str) else (adapter.target or ())
    for item in listed:
        names: list[str] = []
        for target in meant.get(item, (item,)):
            names += (f"{module}.weight" for module in rule.matched.get(target, ()))
            names += rule.parameters.get(target, ())
        options = (ALL_LINEAR, *leaves) if isinstance(adapter.target, str) else leaves
        yield _entry(rule, "target_modules", item, names, options)
    ends = tuple(dict.fromkeys(".".join(p.name.split(".")[-2:]) for p in rule.anatomy.parameters))
    for item in adapter.parameters:
        yield _entry(rule, "target_parameters", item, rule.parameters[item], ends)


def _other_entries(rule: PeftRule, given: Adapter, adapted: Sequence[str]) -> Iterable[Entry]:
    leaves = tuple(dict.fromkeys(key.rpartition(".")[2] for key in rule.keys))
    by_layer: dict[int | None, list[str]] = {}
    for name in adapted if given.layers else ():
        by_layer.setdefault(rule.layer_indexes.get(name.rpartition(".")[0]), []).append(name)
    for layer in given.layers or ():
        yield _entry(rule, "layers_to_transform", str(layer), by_layer.get(layer, ()))
    for item, modules in rule.excluded.items():
        of = (f"{m}.{end}" for m in modules for end in ("weight", "bias"))
        yield _entry(rule, "exclude_modules", item, of, leaves, freezes=True)
    beginnings = Beginnings(rule.anatomy.by_name)
    for item, saved in rule.saved.items():
        under = (name for module in saved for name in beginnings.having(f"{module}."))
        yield _entry(rule, "modules_to_save", item, under, leaves)
    names = [*rule.adapted_modules, *rule.adapted_parameters]
    for setting in ("rank_pattern", "alpha_pattern"):
        for pattern, found in rule.by_pattern(getattr(given, setting), names).items():
            of = (name if name in rule.adapted_parameters else f"{name}.weight" for name in found)
            yield _entry(rule, setting, pattern, of, leaves)
    if given.bias != "none":
        yield _entry(rule, "bias", given.bias, rule.biases)
    for item in given.tokens:
        weights = (f"{module}.weight" for module in rule.token_modules(item))
        yield _entry(rule, "trainable_token_indices", item or "embedding", weights)


def _entry(
    rule: PeftRule,
    setting: str,
    item: str,
    names: Iterable[str],
    candidates: tuple[str, ...] = (),
    *,
    freezes: bool = False,
) -> Entry:
    return Entry(setting, item, in_tree_order(rule.anatomy, names), freezes, candidates)


def _beyond(rule: PeftRule) -> Iterable[Problem]:
    """What PEFT does beyond the text."""
    saved = sorted(frozenset().union(*rule.saved.values()))
    if saved:
        yield Problem(
            "note",
            f"PEFT trains a copy of {_listed(saved)} and keeps the original beside it: both are "
            "held in memory, and the copy is saved with the adapter.",
        )
    tied = {name for names in rule.anatomy.tied for name in names}
    touched = [m for m in (*saved, *rule.adapted_modules) if f"{m}.weight" in tied]
    if touched and not rule.adapter.tied:
        other = next(
            n
            for group in rule.anatomy.tied
            if f"{touched[0]}.weight" in group
            for n in group
            if n != f"{touched[0]}.weight"
        )
        yield Problem(
            "warning",
            f"{touched[0]}.weight and {other} are one tensor. PEFT changes {touched[0]} alone, so "
            "that afterwards they differ, and merging unties them. Set ensure_weight_tying, or "
            "leave both out.",
        )
    target = rule.adapter.target
    if isinstance(target, str) and not rule.targeted:
        leaves = {key.rpartition(".")[2] for key in rule.keys}
        if target in leaves:
            yield Problem(
                "warning",
                f"One text is a regular expression for the whole name of a module, and '{target}' "
                f"is the end of one. Write the list ['{target}'], or .*\\.{target} as one text.",
            )
    if rule.adapter.tokens:
        yield Problem(
            "warning",
            "trainable_token_indices trains some rows of an embedding. A plan of whole tensors "
            "cannot say that; the names and the plan here mean the whole tensor.",
        )
    for name in sorted(rule.whole_and_in_rows):
        yield Problem(
            "warning",
            f"'{name}' is copied whole by modules_to_save, and some of its rows train beside that: "
            "how much trains is not counted. Leave one of them out.",
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3:,} more modules"
