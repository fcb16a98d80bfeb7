"""A parsed value of a file -> a record, and what was taken for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_ui.data.columns import choose_by_hand, names_all
from qwen_ui.data.conversations import (
    Turn,
    looks_like_turns,
    read_tools,
    read_turns,
    turns_as_written,
    without_loss,
)
from qwen_ui.data.records import Record
from qwen_ui.data.shapes import (
    EXPECTED,
    Choice,
    Row,
    Shape,
    choose,
    is_text,
    listed,
    said_of,
)
from qwen_ui.errors import DataError

# Between columns that are joined, as in Alpaca's own prompt.
BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was made of a value.

    Attributes:
        record: None where there is nothing to learn from it.
        taken: what was taken for what, "" where the parts have their own names.
        reason: why there is no record.
    """

    record: Record | None
    taken: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A person's mapping of columns.

    Attributes:
        columns: of each part; see `shapes.parse_columns`.
        required: whether a row without them is an error; else it is read by the table.
    """

    columns: Shape
    required: bool = True


def read_sample(value: Any, where: str, by_hand: ByHand | None = None) -> Sample:
    """The record of a row, a list of turns, or a text.

    Raises:
        DataError: the table knows no such columns, or a part cannot be used.
    """
    if isinstance(value, str) and by_hand is None:
        return _of_text(value, where, "text alone -> text")
    if isinstance(value, list) and by_hand is None:
        return _of_turns(read_turns(value, where), where, "list of turns -> messages")
    if not isinstance(value, dict):
        raise DataError(f"{where}: this is not an object. Each sample needs {EXPECTED}.")
    row = Row(value)
    if by_hand is not None and (by_hand.required or names_all(by_hand.columns, row)):
        return _of_choice(choose_by_hand(by_hand.columns, row, where), row, where)
    if {"role", "content"} <= row.columns.keys() or {"from", "value"} <= row.columns.keys():
        raise DataError(
            f"{where}: this is a single turn. Put the turns of a conversation into a list, "
            '"messages".'
        )
    choice = choose(row)
    if choice is None:
        raise DataError(
            f"{where}: no usable field among {listed(value) or 'none'}. Each sample needs "
            f"{EXPECTED}; name other columns by hand, as in prompt={next(iter(value), 'question')},"
            "completion=…"
        )
    return _of_choice(choice, row, where)


def _of_choice(choice: Choice, row: Row, where: str) -> Sample:
    system = _joined(choice.get("system", ()), row, where)
    values = {part: row.values[columns[0]] for part, columns in choice.items()}
    if "messages" in choice:
        return _conversation(choice, row, where, system)
    if "user" in choice:
        question, answer = (_joined(choice[part], row, where) for part in ("user", "assistant"))
        turns = _asked(question, answer) if answer.strip() else ()
        said = said_of(choice, row)
        reason = "" if turns else f"{listed(choice['assistant'])} is empty"
        return _of_turns(turns, where, said, system, _tools(choice, row, where), reason)
    if "text" in choice:
        return _of_text(_joined(choice["text"], row, where), where, said_of(choice, row))
    if any(looks_like_turns(values[part]) for part in ("prompt", "completion")):
        return _prompt_turns(choice, row, where, system)
    return _prompt(choice, row, where)


def _conversation(choice: Choice, row: Row, where: str, system: str) -> Sample:
    (column,) = choice["messages"]
    value = row.values[column]
    if value is None or value == "":
        return Sample(None, reason=f'"{column}" is empty')
    turns = read_turns(value, where)
    written = turns_as_written(value)
    said = said_of(choice, row, written)
    return _of_turns(turns, where, said, system, _tools(choice, row, where))


def _prompt_turns(choice: Choice, row: Row, where: str, system: str) -> Sample:
    """TRL's conversations: the answer is in the loss, the assistant's turns before it are not."""
    prompt, answer = (row.values[choice[part][0]] for part in ("prompt", "completion"))
    before = read_turns(prompt, where) if isinstance(prompt, list) else ()
    if not before and (text := _joined(choice["prompt"], row, where)):
        before = ({"role": "user", "content": text},)
    if isinstance(answer, list):
        after = read_turns(answer, where)
    else:
        text = _joined(choice["completion"], row, where)
        after = ({"role": "assistant", "content": text},) if text.strip() else ()
    if not after:
        return Sample(None, reason=f"{listed(choice['completion'])} is empty")
    # Of a preferred conversation the prompt is often its beginning, given a second time.
    turns = after if after[0]["role"] in {"user", "system"} else without_loss(before) + after
    both = {"messages": (*choice["prompt"], *choice["completion"])}
    taken = said_of(both | {k: choice[k] for k in ("system", "tools") if k in choice}, row)
    return _of_turns(turns, where, taken, system, _tools(choice, row, where))


def _prompt(choice: Choice, row: Row, where: str) -> Sample:
    columns = (*choice.get("system", ()), *choice["prompt"])
    choice = {"prompt": columns, "completion": choice["completion"]}
    prompt = _joined(columns, row, where)
    completion = _joined(choice["completion"], row, where)
    if not completion.strip():
        return Sample(None, reason=f"{listed(choice['completion'])} is empty")
    if not prompt and all(row.values[column] is None for column in columns):
        return Sample(None, reason=f"{listed(columns)} is missing")
    return Sample(Record(where, prompt=prompt, completion=completion), said_of(choice, row))


def _of_text(text: str, where: str, taken: str) -> Sample:
    if not text.strip():
        return Sample(None, reason='"text" is empty')
    return Sample(Record(where, text=text), taken)


def _of_turns(
    turns: tuple[Turn, ...],
    where: str,
    taken: str,
    system: str = "",
    tools: tuple[Any, ...] = (),
    reason: str = "",
) -> Sample:
    if not turns:
        return Sample(None, reason=reason or "the conversation is empty")
    if not any(turn["role"] == "assistant" for turn in turns):
        roles = dict.fromkeys(str(turn["role"]) for turn in turns)
        reason = f"no turn is the assistant's (there are {listed(roles)})"
        return Sample(None, reason=f"{reason}, so there is nothing to learn")
    if system and turns[0]["role"] not in {"system", "developer"}:
        turns = ({"role": "system", "content": system}, *turns)
    return Sample(Record(where, messages=turns, tools=tools), taken)


def _tools(choice: Choice, row: Row, where: str) -> tuple[Any, ...]:
    return tuple(
        tool for name in choice.get("tools", ()) for tool in read_tools(row.values[name], where)
    )


def _asked(question: str, answer: str) -> tuple[Turn, ...]:
    return ({"role": "user", "content": question}, {"role": "assistant", "content": answer})


def _joined(columns: tuple[str, ...], row: Row, where: str) -> str:
    """The texts of these columns, blank ones left out; a single one exactly as it stands."""
    texts = [_text(row.values[name], f'{where}: "{name}"') for name in columns]
    return texts[0] if len(texts) == 1 else BETWEEN.join(text for text in texts if text.strip())


def _text(value: Any, what: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if is_text(value):
        return str(value)
    if isinstance(value, list) and not looks_like_turns(value):
        # Alpaca's `history`: questions with their answers, before the last question.
        lines = [line for pair in value for line in (pair if isinstance(pair, list) else [pair])]
        if all(isinstance(line, str) for line in lines):
            return BETWEEN.join(line for line in lines if line.strip())
    raise DataError(f"{what} must be text.")
