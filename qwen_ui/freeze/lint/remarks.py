"""What is remarkable about a reading whatever the tool: nothing matched, more than it seems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qwen_ui.freeze.lint.nearest import nearest
from qwen_ui.freeze.lint.surprises import kinds_note, surprise
from qwen_ui.freeze.lint.values_in_keys import keys_are_values
from qwen_ui.freeze.notes import listed
from qwen_ui.freeze.tools.findings import Entry, Problem, Reading, short_text
from qwen_ui.model import Anatomy, unreached

# Of what matches nothing: how many are told each, and for how many the nearest name is looked for.
MOST_TOLD, MOST_GUESSED = 100, 20
# These say how, not what: a model without biases has none to train, and nothing is lost.
_HOW = frozenset({"bias", "lora_bias"})


def remarked(reading: Reading, anatomy: Anatomy) -> tuple[tuple[Entry, ...], list[Problem]]:
    """The entries with what is wrong with each, and all problems."""
    entries = []
    problems = [*reading.problems]
    unmatched = 0
    for entry in reading.entries:
        if entry.names:
            said = surprise(entry, anatomy)
        else:
            unmatched += 1
            said = _unmatched(entry, anatomy, guess=unmatched <= MOST_GUESSED)
        wrong = not entry.names and entry.setting not in _HOW
        if said and (entry.names or unmatched <= MOST_TOLD):
            problems.append(Problem("error" if wrong else "warning", said))
        elif note := kinds_note(entry, anatomy):
            problems.append(Problem("note", note))
        entries.append(replace(entry, problem=said))
    if unmatched > MOST_TOLD:
        more = f"{unmatched - MOST_TOLD:,} more entries match nothing in {anatomy.source}."
        problems.append(Problem("error", more))
    problems += _together(reading, anatomy)
    return tuple(entries), list(dict.fromkeys(problems))


def _unmatched(entry: Entry, anatomy: Anatomy, *, guess: bool) -> str:
    """That it matches nothing, and what may have been meant.

    Args:
        guess: whether to look for the nearest name, which takes up to a tenth of a second.
    """
    asked, shown = entry.entry.strip("^$"), short_text(entry.entry)
    for group in anatomy.tied:
        if any(asked and asked in name for name in group[1:]):
            return (
                f"'{shown}' ({entry.setting}) matches nothing: {group[1]} is the same tensor "
                f"as {group[0]} and is listed by that name alone."
            )
    near = nearest(entry.entry, entry.candidates) if guess else ""
    if near:
        return (
            f"'{shown}' ({entry.setting}) matches nothing in {anatomy.source}. The nearest name is "
            f"'{near}'."
        )
    if entry.candidates:
        example = entry.candidates[len(entry.candidates) // 2]
        return (
            f"'{shown}' ({entry.setting}) matches nothing in {anatomy.source}. Names look like "
            f"'{example}'."
        )
    return f"'{shown}' ({entry.setting}) matches nothing in {anatomy.source}."


def _together(reading: Reading, anatomy: Anatomy) -> Iterator[Problem]:
    """Problems of the selection as a whole."""
    names = reading.names
    if not names:
        yield Problem("error", f"Nothing trains in {anatomy.source}.")
        return
    yield from keys_are_values(names, anatomy)
    left_out = unreached(anatomy) & names
    if left_out:
        yield Problem(
            "warning",
            f"{len(left_out):,} of the tensors get no gradient from text ({listed(left_out)}).",
        )
    # Beside an adapter a module trains as a copy, and a warning of PEFT's says what ties come to.
    for group in () if reading.adapted else anatomy.tied:
        if group[0] in reading.whole:
            yield Problem(
                "note", f"{' and '.join(group)} are one tensor: training it changes both uses."
            )
