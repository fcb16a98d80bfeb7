"""A person's own mapping of columns (`--columns`), written as the table of shapes is."""

from __future__ import annotations

import csv

from qwen_ui.data.shapes import Choice, Row, Shape, listed
from qwen_ui.errors import DataError, SettingsError

# What a mapping by hand may name together; `system` and `tools` go with what has turns or a prompt.
WHOLE = (
    frozenset({"messages"}),
    frozenset({"prompt", "completion"}),
    frozenset({"user", "assistant"}),
    frozenset({"text"}),
)
EXTRA = frozenset({"system", "tools"})


def choose_by_hand(columns: Shape, row: Row, where: str) -> Choice:
    """The columns that a person's mapping names.

    Raises:
        DataError: the row has no such column.
    """
    return {part: _named(names, row, where) for part, names in columns.items()}


def names_all(columns: Shape, row: Row) -> bool:
    """Whether a row has every column that a person's mapping names."""
    try:
        choose_by_hand(columns, row, "")
    except DataError:
        return False
    return True


def parse_columns(text: str | None) -> Shape | None:
    """A mapping by hand, such as `prompt=question,completion=answer`; None for none.

    Raises:
        SettingsError: it is not written so, or names parts that make no sample.
    """
    if text is None or not text.strip():
        return None
    found: Shape = {}
    # As in a CSV file, a name with a comma stands in quotes.
    try:
        items = next(csv.reader([text.strip()], skipinitialspace=True))
    except csv.Error as error:  # a line break, or a name of megabytes
        raise SettingsError(
            f"The columns '{text}' are not understood ({error}). Write them on one line, as in "
            "prompt=question,completion=answer."
        ) from error
    for item in items:
        part, equals, column = item.partition("=")
        part, column = part.strip().lower(), column.strip()
        if not equals or not column or part in found:
            raise SettingsError(
                f"The columns '{text}' are not understood at '{item.strip()}'. Write a part and a "
                "column for each, as in prompt=question,completion=answer."
            )
        found[part] = column
    parts = found.keys() - EXTRA
    if parts not in WHOLE or ("text" in parts and found.keys() & EXTRA):
        raise SettingsError(
            f"The columns '{text}' make no sample. Name prompt and completion, user and assistant, "
            "messages, or text; system and tools may go with messages and with user."
        )
    if "tools" in found and "prompt" in found:
        raise SettingsError("Tools need a conversation. Name user and assistant, or messages.")
    return found


def _named(names: str, row: Row, where: str) -> tuple[str, ...]:
    whole = row.named(names)
    if whole is not None:
        return (whole,)
    found = []
    for name in names.split("+"):
        column = row.named(name.strip())
        if column is None:
            raise DataError(
                f'{where}: there is no column "{name.strip()}". There are {listed(row.values)}.'
            )
        found.append(column)
    return tuple(found)
