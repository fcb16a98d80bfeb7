"""ms-swift's arguments, from its YAML, its `args.json` or a `swift sft` command line.

Full tuning (ms-swift 3602360, `swift/pipelines/train/tuner.py`, `swift/utils/transformers_utils.py`
and the text of `swift/arguments/tuner_args.py`): all parameters train; then the first of them are
frozen until `freeze_parameters_ratio` of all elements would be passed, then those that begin with
one of `freeze_parameters`, then those in which `freeze_parameters_regex` is found; then those that
begin with one of `trainable_parameters`, or in which `trainable_parameters_regex` is found, train
again. Names are compared as they begin, so `model.layers.1` is 10 to 19 as well.

LoRA: PEFT's rule; `all-linear` becomes the shortest ends of names that no other kind of module
shares (`find_all_linears`, `find_layers`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import accumulate

from qwen_ui.errors import PlanError
from qwen_ui.freeze.tools.adapter import Adapter
from qwen_ui.freeze.tools.affixes import Beginnings
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, in_tree_order
from qwen_ui.freeze.tools.lisa import with_lisa
from qwen_ui.freeze.tools.parts import Part, Parts, parts_of
from qwen_ui.freeze.tools.peft import read_adapter
from qwen_ui.freeze.tools.peft_rule import MAMBA_TYPES, NOT_IN_MAMBA
from qwen_ui.freeze.tools.values import Values, flag, ratio, some, text, text_list, whole_number
from qwen_ui.model import Anatomy, match_names

FULL_SETTINGS = (
    "freeze_parameters",
    "freeze_parameters_regex",
    "freeze_parameters_ratio",
    "trainable_parameters",
    "trainable_parameters_regex",
)
_NAMES = {"bias": "lora_bias", "target_modules": "target_modules"}


def read_ms_swift(values: Values, anatomy: Anatomy) -> Reading:
    """What ms-swift would train; LoRA where no tuner is named, as it does.

    Raises:
        PlanError: a setting is of another type, or the tuner is not one that lint reads.
    """
    given = values.get("tuner_type", values.get("train_type", values.get("sft_type")))
    tuner = text({"tuner_type": given}, "tuner_type", "lora")
    if tuner == "full":
        reading = _full(values, anatomy)
    elif tuner in ("lora", "longlora", "adalora"):
        reading = _lora(values, anatomy, tuner, named=given is not None)
    else:
        raise PlanError(
            f"Lint reads ms-swift's tuners full, lora, longlora and adalora, not '{tuner[:40]}'."
        )
    if not isinstance(anatomy.config.get("vision_config"), dict):
        return reading
    told = Problem(
        "warning",
        "ms-swift freezes image tower and aligner by a table of its own (freeze_vit, "
        "freeze_aligner, freeze_llm), which lint does not read: names inside these parts may be "
        "fewer.",
    )
    return replace(reading, problems=(*reading.problems, told))


def _full(values: Values, anatomy: Anatomy) -> Reading:
    names = tuple(p.name for p in anatomy.parameters)
    entries: list[Entry] = []
    trained = set(names)

    def add(setting: str, item: str, found: Iterable[str], *, freezes: bool) -> None:
        of = in_tree_order(anatomy, found)
        options = () if setting.endswith("_ratio") else names
        entries.append(Entry(setting, item, of, freezes, options))
        (trained.difference_update if freezes else trained.update)(of)

    part = ratio(values, "freeze_parameters_ratio")
    if part > 0:
        first = frozen_by_ratio([p.numel for p in anatomy.parameters], part)
        add("freeze_parameters_ratio", f"{part:g}", names[:first], freezes=True)
    beginnings = Beginnings(names)
    for setting, freezes in (("freeze_parameters", True), ("trainable_parameters", False)):
        items = text_list(values, setting)
        for item in items:
            add(setting, item, beginnings.having(item), freezes=freezes)
        pattern = text(values, f"{setting}_regex")
        # An empty one is found in every name; beside nothing else it is not looked at to train.
        if pattern or (values.get(f"{setting}_regex") is not None and (freezes or items)):
            (found,) = match_names([pattern], names)
            add(f"{setting}_regex", pattern, (names[i] for i in found), freezes=freezes)
    problems = []
    if not entries:
        problems.append(Problem("note", "Nothing is frozen: ms-swift trains every tensor."))
    reading = Reading("ms-swift", tuple(entries), frozenset(trained), problems=tuple(problems))
    if _has_lisa(values):
        drawn = whole_number(values, "lisa_activated_layers", 0)
        return with_lisa(reading, anatomy, "lisa_activated_layers", drawn)
    return reading


def _has_lisa(values: Values) -> bool:
    given = whole_number(values, "lisa_activated_layers", 0) > 0
    return given or "lisa" in text_list(values, "callbacks")


def frozen_by_ratio(elements: list[int], part: float) -> int:
    """How many of the first tensors are frozen: as many as stay within the share of elements."""
    return bisect_right(list(accumulate(elements)), int(sum(elements) * part))


def _lora(values: Values, anatomy: Anatomy, tuner: str, *, named: bool) -> Reading:
    problems = []
    unread = [key for key in FULL_SETTINGS if values.get(key)]
    if unread:
        why = "" if named else ", which is the default where no tuner_type is given"
        problems.append(
            Problem(
                "error",
                f"ms-swift does not look at {unread[0]}: tuner_type is {tuner}{why}. Set "
                "tuner_type to full.",
            )
        )
    if _has_lisa(values):
        problems.append(
            Problem("error", "ms-swift stops: LISA goes with tuner_type full alone, not with LoRA.")
        )
    if values.get("adapters") or values.get("resume_from_checkpoint"):
        problems.append(
            Problem(
                "warning",
                "ms-swift goes on with an adapter that exists, whose own adapter_config.json says "
                "what it is on: the targets here are not looked at. Lint that file.",
            )
        )
    if values.get("tuner_backend") == "unsloth":
        problems.append(
            Problem(
                "warning",
                "ms-swift hands these targets to Unsloth, whose rule may differ: lint the call of "
                "get_peft_model as well.",
            )
        )
    pattern = text(values, "target_regex")
    target: str | tuple[str, ...] = (
        pattern or text_list(values, "target_modules") or ("all-linear",)
    )
    if isinstance(target, tuple):
        target, told = _spelled_out(target, anatomy)
        problems += told
    save = text_list(values, "modules_to_save")
    for word, find in (("all-embedding", _is_embedding), ("all-norm", _is_norm)):
        if word in save:
            found = shortest_ends(parts_of(anatomy), find)
            save = (*(item for item in save if item != word), *found)
    adapter = Adapter(
        target=target,
        save=save,
        parameters=text_list(values, "target_parameters"),
        rank=whole_number(values, "lora_rank", 8),
        bias=text(values, "lora_bias", "none"),
        method="ADALORA" if tuner == "adalora" else "LORA",
        dropout=some(values, "lora_dropout", 0.05),
        dora=flag(values, "use_dora"),
        names={**_NAMES, "target_modules": "target_regex" if pattern else "target_modules"},
    )
    return read_adapter("ms-swift", adapter, anatomy, problems)


def _spelled_out(
    targets: tuple[str, ...], anatomy: Anatomy
) -> tuple[tuple[str, ...], list[Problem]]:
    told = []
    parts = parts_of(anatomy)
    head = parts.head.rpartition(".")[2] or "lm_head"
    found = list(targets)
    for word, find in (
        ("all-linear", lambda part: _is_linear(part, head)),
        ("all-embedding", _is_embedding),
    ):
        if word in found:
            ends = shortest_ends(parts, find)
            found = [item for item in found if item != word] + list(ends)
            told.append(Problem("note", f"ms-swift takes {word} to mean {', '.join(ends)}."))
    if anatomy.model_type in MAMBA_TYPES:
        found = [item for item in found if item not in NOT_IN_MAMBA]
    return tuple(dict.fromkeys(found)), told


def shortest_ends(parts: Parts, wanted: Callable[[Part], bool]) -> tuple[str, ...]:
    """Ends of the names of the wanted modules, each as short as no other module's name ends with.

    Indexes count as equal, as in `find_layers`.
    """
    others = {_without_indexes(part.name) for part in parts.listed if not wanted(part)}
    ends = []
    for part in parts.listed:
        if not wanted(part):
            continue
        left = part.name.split(".")
        end = left.pop()
        while left and any(other.endswith(_without_indexes(end)) for other in others):
            end = f"{left.pop()}.{end}"
        ends.append(end)
    return tuple(dict.fromkeys(ends))


def _without_indexes(name: str) -> str:
    return re.sub(r"\d+\.", "{}.", name)


def _is_linear(part: Part, head: str) -> bool:
    name = part.class_name.lower()
    ignored = ("glulinear", "gemma4clippablelinear")
    skipped = (head, "score", "v_head", "classifier", "lora_A", "lora_B", "base_layer")
    return (
        "linear" in name
        and not any(word in name for word in ignored)
        and not any(word in part.name for word in skipped)
    )


def _is_embedding(part: Part) -> bool:
    return part.kind == "embedding"


def _is_norm(part: Part) -> bool:
    return part.kind == "layernorm" or "rmsnorm" in part.class_name.lower()
