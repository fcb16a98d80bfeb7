"""Entries that match more than they seem to, or several things under one name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qwen_ui.formats import index_ranges
from qwen_ui.freeze.tools.findings import Entry, short_text
from qwen_ui.model import Anatomy

# Settings whose entries are compared without regard to where a part of a name begins or ends.
_LOOSE = {
    "modules_to_save": "ends of names are compared, with or without a dot before them",
    "additional_target": "ends of names are compared, with or without a dot before them",
    "lora_modules_to_save": "ends of names are compared, with or without a dot before them",
    "freeze_parameters": "beginnings of names are compared, letter by letter",
    "trainable_parameters": "beginnings of names are compared, letter by letter",
    "freeze_trainable_modules": "texts are looked for anywhere in a name",
    "freeze_extra_modules": "texts are looked for anywhere in a name",
    "unfrozen_parameters": "patterns are matched at the beginning and need no end",
    "regex": "expressions are found anywhere in a name",
    "freeze_parameters_regex": "expressions are found anywhere in a name",
    "trainable_parameters_regex": "expressions are found anywhere in a name",
}
_BY_LEAF = frozenset({"target_modules", "lora_target", "lora_target_modules", "lora_attn_modules"})
# A number that nothing ends: at the end, or before "any text".
_OPEN_NUMBER = re.compile(r"(?<![0-9])(\d+)(?=\)?(?:$|\.[*+]))")


def surprise(entry: Entry, anatomy: Anatomy) -> str:
    """That it matches more than it seems to; empty where it does not."""
    why = _LOOSE.get(entry.setting)
    if why is None:
        return ""
    return _numbers(entry, anatomy, why) or _parts_of_names(entry, why)


def _numbers(entry: Entry, anatomy: Anatomy, why: str) -> str:
    """A block's number that is the beginning of others: 2 and 20 to 27, 1 and 10."""
    found = _OPEN_NUMBER.search(entry.entry)
    if found is None:
        return ""
    meant = int(found[1])
    blocks = {b for n in entry.names if (b := anatomy.by_name[n].block) is not None}
    others = {b for b in blocks if b != meant and str(b).startswith(found[1])}
    if not others or meant not in blocks:
        return ""
    return (
        f"'{short_text(entry.entry)}' ({entry.setting}) means block {meant} and blocks "
        f"{index_ranges(sorted(others))} as well: {why}. "
        "Write what follows the number, at least the dot."
    )


def _parts_of_names(entry: Entry, why: str) -> str:
    """A text that is a whole part of some names, and only a piece of a part of others."""
    text = entry.entry.strip("^$").strip(".")
    if not re.fullmatch(r"[\w.-]+", text):
        return ""
    whole = [name for name in entry.names if f".{text}." in f".{name}."]
    pieces = [name for name in entry.names if f".{text}." not in f".{name}."]
    if not whole or not pieces:
        return ""
    return (
        f"'{short_text(entry.entry)}' ({entry.setting}) matches {len(pieces):,} tensors besides "
        f"'{whole[0]}', such as '{pieces[0]}': {why}."
    )


def kinds_note(entry: Entry, anatomy: Anatomy) -> str:
    """That one name means several kinds of tensor, or is not in every block; empty otherwise."""
    if entry.setting not in _BY_LEAF or not re.fullmatch(r"[\w.-]+", entry.entry):
        return ""
    blocks: dict[str, set[int]] = {}
    for name in entry.names:
        parameter = anatomy.by_name[name]
        if parameter.block is not None:
            blocks.setdefault(parameter.kind, set()).add(parameter.block)
    if len(blocks) > 1:
        told = _where(blocks.items())
        return f"'{entry.entry}' means {len(blocks)} kinds of tensor here: {told}."
    for kind, inside in blocks.items():
        having = next((set(k.blocks) for k in anatomy.kinds if k.kind == kind), inside)
        if inside == having and len(having) < anatomy.block_count:
            count = f"{len(having)} of {anatomy.block_count} blocks"
            return f"'{entry.entry}' is in {count} alone{_types(having, anatomy)}."
    return ""


def _where(found: Iterable[tuple[str, set[int]]]) -> str:
    return "; ".join(f"{kind} in blocks {index_ranges(sorted(blocks))}" for kind, blocks in found)


def _types(blocks: set[int], anatomy: Anatomy) -> str:
    """What the configuration calls these blocks, where it has a word for them."""
    types = {anatomy.layer_type(anatomy.blocks[index].name) for index in blocks} - {""}
    return f" ({', '.join(sorted(types))})" if types else ""
