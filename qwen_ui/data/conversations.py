"""The turns of a conversation, however a file writes them -> turns as chat templates take them.

What is understood: `role` and `content` (OpenAI's), `from` and `value` (ShareGPT's), turns that
hold a question with its answer (Firefly's, XTuner's), OpenAI's former `function_call`, ShareGPT's
turns that call a function, and the usual ways to leave a turn out of the loss.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

from qwen_ui.errors import DataError

ROLE_KEYS = ("role", "from")
CONTENT_KEYS = ("content", "value")
SPEAKERS = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "function": "tool",
}
# ShareGPT's names of what is no speaker; beside `role` a template may know them by themselves.
SHAREGPT_SPEAKERS = {
    **SPEAKERS,
    "observation": "tool",
    "tool_response": "tool",
    "function_response": "tool",
}
CALLS = frozenset({"function_call", "tool_call"})
KNOWN_ROLES = frozenset({"user", "assistant", "system", "tool", "developer"})
# Keys by which a file says whether a turn carries loss, and the value that says it does.
WEIGHTS: dict[str, bool] = {
    "weight": True,
    "train": True,
    "training": True,
    "loss": True,
    "loss_scale": True,
    "mask": False,
    "masked": False,
}
_YES_NO = {"true": True, "false": False, "1": True, "0": False}
# A turn that holds a question and its answer.
PAIRS = (("human", "assistant"), ("user", "assistant"), ("input", "output"))

Turn = dict[str, Any]


def looks_like_turns(value: Any) -> bool:
    """Whether this is a list of turns, by its first."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return _key(value[0], ROLE_KEYS) is not None or _pair(value[0]) is not None


def read_turns(value: Any, where: str) -> tuple[Turn, ...]:
    """The turns of a conversation; () for an empty one.

    Args:
        value: the list, or its text: a column of a table holds turns as JSON, or as Python writes
            them.

    Raises:
        DataError: a turn has no role or no content, or one that cannot be used.
    """
    value = parsed(value, where) if isinstance(value, str) else value
    if not isinstance(value, list | tuple):
        raise DataError(f"{where}: a conversation must be a list of turns.")
    turns: list[Turn] = []
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, dict):
            raise DataError(f'{where}: turn {number} needs a "role" and a "content".')
        pair = _pair(turn)
        place = f"{where}, turn {number}"
        turns += _of_pair(turn, pair, place) if pair else [_turn(turn, place)]
    return tuple(turns)


def parsed(text: str, where: str) -> Any:
    """What stands in a cell of a table as JSON, or as Python writes it.

    Raises:
        DataError: it is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise DataError(f"{where}: not valid JSON ({error}). Fix or remove it.") from error


def turns_as_written(value: Any) -> str:
    """How turns are written, in words: `from, value`; "" where as `role` and `content`."""
    if not looks_like_turns(value):
        return ""
    pair = _pair(value[0])
    keys = pair or (_key(value[0], ROLE_KEYS), _key(value[0], CONTENT_KEYS))
    if keys[0] != "role":
        return ", ".join(key for key in keys if key)
    roles = [str(turn.get("role")).strip().lower() for turn in value if isinstance(turn, dict)]
    renamed = [f"{role} as {SPEAKERS[role]}" for role in dict.fromkeys(roles) if role in SPEAKERS]
    return ", ".join(renamed)


def read_tools(value: Any, where: str) -> tuple[Any, ...]:
    """Descriptions of tools; OpenAI's former `functions` are wrapped as it wraps them today.

    Raises:
        DataError: no list, nor the JSON of one.
    """
    if isinstance(value, str):
        value = parsed(value, where) if value.strip() else []
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise DataError(f"{where}: the tools must be a list.")
    return tuple(
        {"type": "function", "function": tool}
        if isinstance(tool, dict) and "name" in tool and "function" not in tool
        else tool
        for tool in value
    )


def without_loss(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The same turns, none of the assistant's in the loss."""
    return tuple(turn | {"weight": 0} if turn["role"] == "assistant" else turn for turn in turns)


def _turn(turn: Turn, where: str) -> Turn:
    role_key = _key(turn, ROLE_KEYS)
    if role_key is None or not isinstance(turn[role_key], str):
        raise DataError(f'{where} needs a "role" and a "content".')
    said = turn[role_key].strip()
    role = said.lower()
    role = (SHAREGPT_SPEAKERS if role_key == "from" else SPEAKERS).get(role, role)
    if role_key == "from" and role not in KNOWN_ROLES | CALLS:
        raise DataError(
            f"{where} is from '{said}', which is not understood. Write user, assistant, system or "
            "tool."
        )
    content_key = _key(turn, CONTENT_KEYS)
    content = turn.get(content_key) if content_key else None
    used = {role_key, content_key, "function_call", *WEIGHTS}
    made: Turn = {"role": role if role in KNOWN_ROLES | CALLS else said, "content": content}
    made |= {key: value for key, value in turn.items() if key not in used and value is not None}
    if role in CALLS:
        made |= {"role": "assistant", "content": None, "tool_calls": _calls(content, where)}
    elif turn.get("function_call") is not None:
        made["tool_calls"] = _calls(turn["function_call"], where)
    if not isinstance(made["content"], str | list) and not made.get("tool_calls"):
        raise DataError(f"{where}: the content must be text.")
    weight = _weight(turn, where)
    return made if weight is None else made | {"weight": weight}


def _calls(value: Any, where: str) -> list[dict[str, Any]]:
    """Calls of functions as templates take them, from {name, arguments}, a list of these or JSON.

    Arguments are an object, as transformers asks of them: templates write them as JSON themselves.
    """
    value = parsed(value, where) if isinstance(value, str) else value
    calls = []
    for call in value if isinstance(value, list) else [value]:
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            raise DataError(f'{where}: a function call needs a "name" and "arguments".')
        arguments = call.get("arguments")
        if isinstance(arguments, str):
            arguments = parsed(arguments, where)
        function = {"name": call["name"], "arguments": arguments or {}}
        calls.append({"type": "function", "function": function})
    return calls


def _weight(turn: Turn, where: str) -> int | None:
    """1 or 0 where a turn says that it carries loss or does not; None where it says nothing."""
    for key, carries in WEIGHTS.items():
        value = turn.get(key)
        if value is None:
            continue
        value = _YES_NO.get(value.strip().lower(), value) if isinstance(value, str) else value
        if value not in (0, 1):
            raise DataError(f'{where}: "{key}" is {value!r}. Only 0 and 1 can be used.')
        return int(bool(value) is carries)
    return None


def _key(turn: Turn, keys: tuple[str, ...]) -> str | None:
    """The first of these keys that has a value; else the first that is there at all."""
    given = [key for key in keys if key in turn]
    return next((key for key in given if turn[key] is not None), given[0] if given else None)


def _pair(turn: Turn) -> tuple[str, str] | None:
    if _key(turn, ROLE_KEYS) is not None:
        return None
    filled = ((a, b) for a, b in PAIRS if isinstance(turn.get(a), str) and turn.get(b) is not None)
    return next(filled, None)


def _of_pair(turn: Turn, pair: tuple[str, str], where: str) -> list[Turn]:
    question, answer = turn[pair[0]], turn[pair[1]]
    if not isinstance(answer, str):
        raise DataError(f"{where}: the content must be text.")
    system = turn.get("system")
    turns = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
    return [
        *turns,
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
