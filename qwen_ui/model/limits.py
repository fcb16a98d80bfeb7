"""How long a sequence a model takes, by its anatomy. Imports no torch.

Learned positions are a table: beyond its rows there is nothing to look up. Rotary positions can be
computed for any length; the configuration's number is what the model was made for.
"""

from __future__ import annotations

import re

from qwen_ui.errors import SettingsError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.config_values import config_int, language_config

_TABLES = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings?|positions_embed)\.weight$")


def learned_positions(anatomy: Anatomy) -> int | None:
    """Number of positions that the model has learned; None where it computes them.

    Some tables have rows before the first position (OPT's two, RoBERTa's up to its padding's).
    """
    named = config_int(language_config(anatomy.config), "max_position_embeddings")
    for parameter in anatomy.parameters:
        if (
            parameter.block is None
            and any(_TABLES.search(name) for name in parameter.names)
            and not _of_a_tower(anatomy, parameter.module)
        ):
            rows = parameter.shape[0]
            padding = re.search(
                r"padding_idx=(\d+)", anatomy.modules_by_name[parameter.module].settings
            )
            if padding and named == rows:
                rows -= int(padding[1]) + 1
            return min(rows, named) if named else rows
    return None


def _of_a_tower(anatomy: Anatomy, module: str) -> bool:
    """Whether a module stands beside other blocks than the language model's: it counts patches."""
    path, stack = module.split("."), anatomy.stack.split(".")
    common = next(
        (i for i, (a, b) in enumerate(zip(path, stack, strict=False)) if a != b), len(path)
    )
    beside = ".".join(path[: common + 1])
    return any(
        other.class_name == "ModuleList" and other.name.startswith(f"{beside}.")
        for other in anatomy.modules
    )


def refuse_length(anatomy: Anatomy, sequence_length: int) -> None:
    """Refuse sequences that are longer than the model has learned positions.

    Raises:
        SettingsError: they are.
    """
    limit = learned_positions(anatomy)
    if limit is not None and sequence_length > limit:
        raise SettingsError(
            f"'{anatomy.source}' has {limit:,} learned positions, and the sequence length is "
            f"{sequence_length:,}. Choose {limit:,} at most."
        )


def length_note(anatomy: Anatomy, sequence_length: int) -> str:
    """A sentence where sequences are longer than the configuration's number; "" where not."""
    named = config_int(language_config(anatomy.config), "max_position_embeddings")
    if named is None or sequence_length <= named or learned_positions(anatomy) is not None:
        return ""
    return (
        f"The sequence length {sequence_length:,} is beyond the {named:,} positions that "
        f"'{anatomy.source}' was made for: what it does there is unknown."
    )
