"""Checks and previews of data for a page: another process reads, within limits.

A file of 300 kB may hold gigabytes of text, and a chat template may count to a billion. What is
read is another's, so is the template; the page goes on whatever they do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_ui.data.measuring import Measure
from qwen_ui.data.preview import Preview, Sequence, Token
from qwen_ui.errors import DataError
from qwen_ui.limited import WARM, Limits

# 32 MiB of samples are read whole in 0.5 s; a tokenizer of 262,144 words loads in 2 s.
READING = Limits(seconds=15.0, memory=2 * 1024**3, patience=60.0)


def check_within_limits(
    source: str, columns: str | None = None, *, required: bool = True
) -> tuple[str, ...]:
    """As `check_data`.

    Raises:
        UserError: as `check_data`; or reading it takes more than `READING` allows.
    """
    return tuple(_asked("checked", source, columns=columns, required=required))


def preview_within_limits(
    source: str,
    tokenizer: Path,
    sequence_length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
    rows: int | None = None,
    model: str = "",
    first: int = 0,
) -> Preview:
    """As `preview_data`, with the tokenizer of this folder.

    Raises:
        UserError: as `preview_data` and `load_tokenizer`; or it takes more than `READING` allows.
    """
    found = _asked(
        "previewed",
        source,
        tokenizer=str(tokenizer),
        sequence_length=sequence_length,
        packing=packing,
        columns=columns,
        rows=rows,
        model=model,
        first=first,
    )
    return Preview(
        tuple(
            Sequence(sequence["where"], tuple(Token(**token) for token in sequence["tokens"]))
            for sequence in found["sequences"]
        ),
        tuple(found["notes"]),
        found["first"],
        found["more"],
    )


def measure_within_limits(
    source: str,
    tokenizer: Path,
    sequence_length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
) -> Measure:
    """As `measure_data`, with the tokenizer of this folder.

    Raises:
        UserError: as `measure_data` and `load_tokenizer`; or it takes more than `READING` allows.
    """
    measured = _asked(
        "measured",
        source,
        tokenizer=str(tokenizer),
        sequence_length=sequence_length,
        packing=packing,
        columns=columns,
    )
    return Measure(**measured)


def mistakes_within_limits(source: str, columns: str | None = None) -> tuple[list[str], int]:
    """As `mistakes_in`.

    Raises:
        UserError: as `mistakes_in`; or it takes more than `READING` allows.
    """
    said, count = _asked("mistaken", source, columns=columns)
    return said, count


def _asked(task: str, source: str, **asked: object) -> Any:
    """What a function of `data.task` answers of this source, from the other process."""
    return WARM.run(
        f"qwen_ui.data.task:{task}",
        {"source": source, **asked},
        READING,
        lambda why: _refusal(source, why),
    )


def _refusal(source: str, why: str) -> DataError:
    return DataError(
        f"'{Path(source).name[:100]}' is not read: {why}. Split it into smaller files and shorter "
        "samples; where it is small, the model's chat template may be the reason."
    )
