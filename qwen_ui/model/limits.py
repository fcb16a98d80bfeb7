"""How long a sequence a model takes, by its anatomy. Imports no torch.

Learned positions are a table: beyond its rows there is nothing to look up. Rotary positions can be
computed for any length; the configuration's number is what the model was made for.
"""

from __future__ import annotations

import re

from qwen_ui.errors import SettingsError
from qwen_ui.model.anatomy import Anatomy, Parameter, Role
from qwen_ui.model.config_values import config_int, language_config
from qwen_ui.model.per_anatomy import once_per_anatomy
from qwen_ui.model.reach import unreached

_TABLES = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings?|positions_embed)\.weight$")


# Tables that are computed once and kept beside the parameters (GPT-J, CodeGen, CTRL).
_KEPT_TABLES = re.compile(r"(^|\.)(embed_positions|pos_encoding)$")
# MPT makes its bias by distance in every forward pass, for so many positions and no more.
_ENDS_AT_ITS_NUMBER = frozenset({"mpt"})


def learned_positions(anatomy: Anatomy) -> int | None:
    """Number of positions that the model has learned; None where it computes them.

    Some tables have rows before the first position (OPT's two, RoBERTa's up to its padding's).
    That of an image tower says nothing about text.
    """
    named = config_int(language_config(anatomy.config), "max_position_embeddings")
    for parameter in anatomy.parameters:
        if (
            parameter.block is None
            and any(_TABLES.search(name) for name in parameter.names)
            and parameter.name not in unreached(anatomy)
        ):
            rows = parameter.shape[0]
            padding = re.search(
                r"padding_idx=(\d+)", anatomy.modules_by_name[parameter.module].settings
            )
            if padding and named == rows:
                rows -= int(padding[1]) + 1
            return min(rows, named) if named else rows
    return None


def most_positions(anatomy: Anatomy, length: int) -> int | None:
    """Number of positions that the model has, where it cannot take this length; else None.

    A table beside the parameters stands in no anatomy: the model is built to look for it, once,
    where the length is beyond the configuration's number.
    """
    learned = learned_positions(anatomy)
    if learned is not None:
        return learned if length > learned else None
    config = language_config(anatomy.config)
    named = config_int(config, "max_position_embeddings")
    if named is None or length <= named:
        return None
    if config.get("model_type") in _ENDS_AT_ITS_NUMBER:
        return named
    kept = _kept_positions(anatomy)
    return kept if kept is not None and length > kept else None


@once_per_anatomy
def _kept_positions(anatomy: Anatomy) -> int | None:
    from qwen_ui.model.skeleton import build_skeleton  # noqa: PLC0415  imports torch

    if anatomy.configuration is None:
        return None
    buffers = build_skeleton(anatomy.configuration).named_buffers()
    rows = [buffer.shape[0] for name, buffer in buffers if _KEPT_TABLES.search(name)]
    return min(rows, default=None)


def refuse_length(anatomy: Anatomy, sequence_length: int) -> None:
    """Refuse sequences that are longer than the model has positions.

    Raises:
        SettingsError: they are.
    """
    limit = most_positions(anatomy, sequence_length)
    if limit is not None:
        kind = "learned positions" if learned_positions(anatomy) else "positions"
        raise SettingsError(
            f"'{anatomy.source}' has {limit:,} {kind}, and the sequence length is "
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


def embedding_rows(anatomy: Anatomy) -> int | None:
    """How many token ids the embedding has a row for; None where none is found.

    Some classes add rows to what the configuration names (Mllama: 8), and some models have further
    tables that are smaller (per layer, of positions).
    """
    rows = [parameter.shape[0] for parameter in _token_tables(anatomy)]
    return min(rows, default=_vocabulary(anatomy) or None)


def input_embedding(anatomy: Anatomy) -> Parameter | None:
    """The table that gives each token id its vector; None where several may be it."""
    tables = _token_tables(anatomy)
    return tables[0] if len(tables) == 1 else None


def _token_tables(anatomy: Anatomy) -> list[Parameter]:
    """Tables outside the blocks with a row for every token id."""
    named = _vocabulary(anatomy)
    return [
        parameter
        for parameter in anatomy.parameters
        if parameter.role is Role.EMBEDDING
        and parameter.block is None
        and len(parameter.shape) == 2
        and parameter.shape[0] >= named
        and not any(_TABLES.search(name) for name in parameter.names)
    ]


def _vocabulary(anatomy: Anatomy) -> int:
    """Token ids that the configuration names; 0 where it names none."""
    return config_int(language_config(anatomy.config), "vocab_size") or 0
