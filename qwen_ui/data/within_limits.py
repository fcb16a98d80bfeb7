"""Checks and previews of data for a page: another process reads, within limits.

A file of 300 kB may hold gigabytes of text, and a chat template may count to a billion. What is
read is another's, so is the template; the page goes on whatever they do.
"""

from __future__ import annotations

from pathlib import Path

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
    asked = {"source": source, "columns": columns, "required": required}
    notes = WARM.run("qwen_ui.data.task:checked", asked, READING, lambda why: _refusal(source, why))
    return tuple(notes)


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
    asked = {
        "source": source,
        "tokenizer": str(tokenizer),
        "sequence_length": sequence_length,
        "packing": packing,
        "columns": columns,
        "rows": rows,
        "model": model,
        "first": first,
    }
    found = WARM.run(
        "qwen_ui.data.task:previewed", asked, READING, lambda why: _refusal(source, why)
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
    asked = {
        "source": source,
        "tokenizer": str(tokenizer),
        "sequence_length": sequence_length,
        "packing": packing,
        "columns": columns,
    }
    task = "qwen_ui.data.task:measured"
    return Measure(**WARM.run(task, asked, READING, lambda why: _refusal(source, why)))


def mistakes_within_limits(source: str, columns: str | None = None) -> tuple[list[str], int]:
    """As `mistakes_in`.

    Raises:
        UserError: as `mistakes_in`; or it takes more than `READING` allows.
    """
    asked = {"source": source, "columns": columns}
    task = "qwen_ui.data.task:mistaken"
    said, count = WARM.run(task, asked, READING, lambda why: _refusal(source, why))
    return said, count


def _refusal(source: str, why: str) -> DataError:
    return DataError(
        f"'{Path(source).name[:100]}' is not read: {why}. Split it into smaller files and shorter "
        "samples; where it is small, the model's chat template may be the reason."
    )
