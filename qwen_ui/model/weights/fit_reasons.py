"""Why weight files do not fit, as far as their names tell. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qwen_ui.model.anatomy import Anatomy, Role
from qwen_ui.model.config_values import config_int, language_config

# Parts that wrappers put into names, with who does and what to do.
_WRAPPERS = {
    "_orig_mod.": "torch.compile puts it there: save `model._orig_mod`, or strip it",
    "module.": "DataParallel and DDP put it there: save `model.module`, or strip it",
    "_fsdp_wrapped_module.": "FSDP puts it there: gather a full state dict, or strip it",
    "_checkpoint_wrapped_module.": "activation checkpointing puts it there: strip it",
    "_forward_module.": "Lightning puts it there: strip it",
    "base_model.model.": "peft puts it there: merge the adapter (`merge_and_unload`) and save",
}
_ADAPTERS = re.compile(r"\.(base_layer|lora_[AB]|lora_embedding_[AB])\b")


def likely_reason(
    anatomy: Anatomy,
    missing: Sequence[str],
    unexpected: Sequence[str],
    mismatched: Sequence[str],
) -> str:
    """The likely reason as one sentence; "" where the names tell none, or everything fits."""
    if not (missing or unexpected or mismatched):
        return ""
    return (
        _adapters(unexpected)
        or _wrapped(anatomy, unexpected)
        or _prefixed(anatomy, missing, unexpected)
        or _encoder(unexpected)
        or _blocks(anatomy, missing, unexpected)
        or _head(anatomy, missing, unexpected)
        or _vocabulary(anatomy, mismatched)
        or _other_model(missing, mismatched)
    )


def _adapters(unexpected: Sequence[str]) -> str:
    found = [name for name in unexpected if _ADAPTERS.search(name)]
    if not found:
        return ""
    return "The files hold LoRA adapters that were not merged: merge them (`merge_and_unload`)."


def _wrapped(anatomy: Anatomy, unexpected: Sequence[str]) -> str:
    for part, remedy in _WRAPPERS.items():
        holding = [name for name in unexpected if part in name]
        plain = [name.replace(part, "") for name in holding]
        if holding and any(_is_known(anatomy, name) for name in plain):
            where = "have" if len(holding) > 1 else "has"
            return f"{len(holding):,} of the names {where} `{part}` in them; {remedy}."
    return ""


def _is_known(anatomy: Anatomy, name: str) -> bool:
    return name in anatomy.by_name or f"model.{name}" in anatomy.by_name


def _prefixed(anatomy: Anatomy, missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """A prefix that all of the unexpected names have, or that all of them lack."""
    for wanted in missing:
        for found in unexpected:
            if found.endswith(f".{wanted}"):
                prefix = found.removesuffix(wanted)
                count = sum(name.startswith(prefix) for name in unexpected)
                return f"{count:,} names begin with `{prefix}`, which is too much: strip it."
            if wanted.endswith(f".{found}"):
                prefix = wanted.removesuffix(found)
                count = sum(prefix + name in anatomy.by_name for name in unexpected)
                return f"{count:,} names lack the prefix `{prefix}`: put it before them."
        return ""  # one name suffices: a prefix is on all of them
    return ""


def _encoder(unexpected: Sequence[str]) -> str:
    found = [name for name in unexpected if re.search(r"(^|\.)encoder\.", name)]
    if not found:
        return ""
    return "The files hold an encoder too (`" + found[0] + "`), and this model is a decoder alone."


def _blocks(anatomy: Anatomy, missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """Blocks that the files lack as a whole, or have beyond the configuration's number."""
    absent = set(missing)
    lost = [
        block.index
        for block in anatomy.blocks
        if absent.issuperset(_names_in(anatomy, block.index))
    ]
    if lost and len(lost) < anatomy.block_count:
        which = ", ".join(map(str, lost[:6])) + (", ..." if len(lost) > 6 else "")
        what = f"Block {which} is" if len(lost) == 1 else f"Blocks {which} are"
        return (
            f"{what} not in the files as a whole: lost in a merge or a copy, or the "
            f"configuration's {anatomy.block_count} blocks are more than there are."
        )
    beyond = {
        int(found[1])
        for name in unexpected
        if (found := re.search(rf"(?:^|\.){re.escape(_last(anatomy.stack))}\.(\d+)\.", name))
        and int(found[1]) >= anatomy.block_count
    }
    if beyond:
        return (
            f"The files have a block {max(beyond)}, and the configuration names "
            f"{anatomy.block_count} blocks: their number is wrong, or it belongs to "
            "another model."
        )
    return ""


def _names_in(anatomy: Anatomy, block: int) -> set[str]:
    return {p.name for p in anatomy.parameters if p.block == block}


def _last(stack: str) -> str:
    return stack.rpartition(".")[2]


def _head(anatomy: Anatomy, missing: Sequence[str], unexpected: Sequence[str]) -> str:
    heads = {p.name for p in anatomy.parameters if p.role is Role.HEAD}
    if missing and set(missing) <= heads:
        return (
            "The head is not there: the model was saved without it, or it is the embedding and "
            'the configuration should say `"tie_word_embeddings": true`.'
        )
    if not missing and unexpected and all("head" in name or "score" in name for name in unexpected):
        return (
            f"The files hold a head that this model does not have (`{unexpected[0]}`), of a reward "
            "model or a classifier. Remove it, or open the model it was trained from."
        )
    return ""


def _vocabulary(anatomy: Anatomy, mismatched: Sequence[str]) -> str:
    """Every mismatch is one of the vocabulary's size."""
    size = config_int(language_config(anatomy.config), "vocab_size")
    rows = [re.search(r": \[(\d+), (\d+)\] in the file, \[(\d+), (\d+)\]", m) for m in mismatched]
    pairs = [r.groups() for r in rows if r is not None]
    if not pairs or len(pairs) < len(mismatched) or size is None:
        return ""
    if all(found[1] == found[3] and int(found[2]) == size for found in pairs):
        return (
            f"The files have {int(pairs[0][0]):,} tokens, the configuration's vocab_size is "
            f"{size:,}: correct it."
        )
    return ""


def _other_model(missing: Sequence[str], mismatched: Sequence[str]) -> str:
    if mismatched:
        return "The configuration belongs to another model, or to another size of it."
    if missing:
        return "The files are not whole, or belong to another model."
    return (
        "The files hold more than this model has. Remove what it does not use, or open the model "
        "that they belong to."
    )
