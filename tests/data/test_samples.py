"""The table of shapes: what people's columns become, and what is said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwen_ui.data.columns import parse_columns
from qwen_ui.data.samples import ByHand, read_sample
from qwen_ui.errors import DataError, SettingsError

USER, ANSWER = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}
SYSTEM = {"role": "system", "content": "be"}
SHAREGPT = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]


@pytest.mark.parametrize(
    ("row", "prompt", "completion", "said"),
    [
        ({"prompt": "a", "completion": "b"}, "a", "b", ""),
        (
            {"instruction": "a", "input": "b", "output": "c"},
            "a\n\nb",
            "c",
            "instruction + input -> prompt, output -> completion",
        ),
        (
            {"instruction": "a", "input": "", "output": "c"},
            "a",
            "c",
            "instruction + input -> prompt, output -> completion",
        ),
        (
            {"system": "s", "history": [["q", "r"]], "instruction": "a", "output": "c"},
            "s\n\nq\n\nr\n\na",
            "c",
            "system + history + instruction -> prompt, output -> completion",
        ),
        (
            {"instruction": "a", "context": "b", "response": "c", "category": "x"},
            "a\n\nb",
            "c",
            "instruction + context -> prompt, response -> completion; not used: category",
        ),
        ({"input": "a", "output": "b"}, "a", "b", "input -> prompt, output -> completion"),
        ({"Question": "a", "Answer ": 4}, "a", "4", "Question -> prompt, Answer  -> completion"),
        (
            {"system_prompt": "s", "question": "a", "response": "b"},
            "s\n\na",
            "b",
            "system_prompt + question -> prompt, response -> completion",
        ),
        ({"query": "a", "response": "b"}, "a", "b", "query -> prompt, response -> completion"),
        ({"prompt": "a", "response": "b"}, "a", "b", "prompt -> prompt, response -> completion"),
        (
            {"problem": "a", "solution": "b", "answer": "c"},
            "a",
            "b",
            "problem -> prompt, solution -> completion; not used: answer",
        ),
        (
            {"prompt": "a", "chosen": "b", "rejected": "c"},
            "a",
            "b",
            "prompt -> prompt, chosen -> completion; not used: rejected",
        ),
    ],
)
def test_rows_of_prompts(row: dict[str, Any], prompt: str, completion: str, said: str) -> None:
    found = read_sample(row, "here")
    assert found.record is not None
    assert (found.record.prompt, found.record.completion, found.taken) == (prompt, completion, said)


@pytest.mark.parametrize(
    ("value", "turns", "said"),
    [
        ({"messages": [USER, ANSWER]}, [USER, ANSWER], ""),
        ([USER, ANSWER], [USER, ANSWER], "list of turns -> messages"),
        (
            {"conversations": SHAREGPT, "id": 1},
            [USER, ANSWER],
            "conversations (from, value) -> messages; not used: id",
        ),
        (
            {"conversations": SHAREGPT, "system": "be"},
            [SYSTEM, USER, ANSWER],
            "conversations (from, value) -> messages, system -> system",
        ),
        ({"conversations": [USER, ANSWER]}, [USER, ANSWER], "conversations -> messages"),
        (
            {"messages": [{**USER, "role": "human"}, {**ANSWER, "role": "Assistant"}]},
            [USER, ANSWER],
            "messages (human as user) -> messages",
        ),
        ({"messages": json.dumps([USER, ANSWER])}, [USER, ANSWER], ""),
        ({"messages": str([USER, ANSWER])}, [USER, ANSWER], ""),
        (
            {"conversation": [{"human": "hi", "assistant": "ho"}]},
            [USER, ANSWER],
            "conversation (human, assistant) -> messages",
        ),
        (
            {"conversation": [{"system": "be", "input": "hi", "output": "ho"}]},
            [SYSTEM, USER, ANSWER],
            "conversation (input, output) -> messages",
        ),
        (
            {"prompt": [USER, ANSWER, USER], "completion": [ANSWER]},
            [USER, ANSWER | {"weight": 0}, USER, ANSWER],
            "prompt + completion -> messages",
        ),
        (
            {"prompt": "hi", "chosen": [USER, ANSWER], "rejected": [USER, ANSWER]},
            [USER, ANSWER],
            "prompt + chosen -> messages; not used: rejected",
        ),
        ({"user": "hi", "assistant": "ho"}, [USER, ANSWER], ""),
        (
            {"chosen": [USER, ANSWER], "rejected": [USER]},
            [USER, ANSWER],
            "chosen -> messages; not used: rejected",
        ),
        (
            {"messages": [USER, ANSWER], "images": ["x.png"]},
            [USER, ANSWER],
            "messages -> messages; not used: images",
        ),
    ],
)
def test_conversations(value: Any, turns: list[dict[str, Any]], said: str) -> None:
    found = read_sample(value, "here")
    assert found.record is not None
    assert list(found.record.messages) == turns
    assert found.taken == said


def test_of_two_shapes_in_a_row_the_one_that_is_not_used_is_said() -> None:
    found = read_sample({"text": "t", "instruction": "i", "output": "o"}, "here")
    assert found.record is not None
    assert found.record.text == "t"
    assert found.taken == "text -> text; not used: instruction, output"
    assert read_sample({"text": "t", "label": 3}, "here").taken == ""


@pytest.mark.parametrize(
    ("mark", "weight"),
    [
        ({"weight": 0}, 0),
        ({"weight": 1.0}, 1),
        ({"train": False}, 0),
        ({"train": 0}, 0),
        ({"training": "true"}, 1),
        ({"loss": False}, 0),
        ({"loss_scale": 0.0}, 0),
        ({"masked": True}, 0),
        ({"mask": False}, 1),
    ],
)
def test_the_ways_to_leave_a_turn_out_of_the_loss(mark: dict[str, Any], weight: int) -> None:
    found = read_sample({"messages": [USER, ANSWER | mark]}, "here").record
    assert found is not None
    assert found.messages == (USER, ANSWER | {"weight": weight})


def test_calls_of_functions_and_tools() -> None:
    call = {"name": "f", "arguments": {"a": 1}}
    turns = [
        {"from": "human", "value": "hi"},
        {"from": "function_call", "value": json.dumps(call)},
        {"from": "observation", "value": "dry"},
        {"from": "gpt", "value": "ho"},
    ]
    tool = {"name": "f", "parameters": {}}
    found = read_sample({"conversations": turns, "tools": json.dumps([tool])}, "here").record
    assert found is not None
    wrapped = {"type": "function", "function": call}
    assert found.messages == (
        USER,
        {"role": "assistant", "content": None, "tool_calls": [wrapped]},
        {"role": "tool", "content": "dry"},
        ANSWER,
    )
    assert found.tools == ({"type": "function", "function": tool},)
    former = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": "{}"},
    }
    old = read_sample({"messages": [USER, former]}, "here").record
    assert old is not None
    assert old.messages[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": {}}


def test_parts_and_empty_contents_stay_as_they_stand() -> None:
    parts = [{"type": "text", "text": "ho"}]
    calls = [{"type": "function", "function": {"name": "f", "arguments": {}}}]
    turns: list[dict[str, Any]] = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": calls, "name": None},
        {"role": "assistant", "content": parts, "reasoning_content": "why"},
    ]
    found = read_sample({"messages": turns}, "here").record
    assert found is not None
    del turns[1]["name"]
    assert found.messages == tuple(turns)


@pytest.mark.parametrize(
    ("columns", "shape", "said"),
    [
        ("prompt=Frage,completion=antwort", ("hi", "ho", ()), "Frage -> prompt"),
        (
            "prompt = system prompt + Frage, completion = antwort",
            ("be\n\nhi", "ho", ()),
            "System P",
        ),
        ("user=frage,assistant=antwort", ("", "", (USER, ANSWER)), "Frage -> user"),
        (
            "system=System Prompt,user=Frage,assistant=antwort",
            ("", "", (SYSTEM, USER, ANSWER)),
            "System Prompt -> system",
        ),
    ],
)
def test_columns_by_hand(columns: str, shape: tuple[Any, ...], said: str) -> None:
    by_hand = parse_columns(columns)
    assert by_hand is not None
    row = {"System Prompt": "be", "Frage": "hi", "antwort": "ho"}
    found = read_sample(row, "here", ByHand(by_hand))
    assert found.record is not None
    assert (found.record.prompt, found.record.completion, found.record.messages) == shape
    assert found.taken.startswith(said)


def test_an_unknown_column_is_named_with_those_that_are_there() -> None:
    by_hand = parse_columns("prompt=question,completion=b")
    assert by_hand is not None
    with pytest.raises(DataError, match=r'here: there is no column "question".*"a" and "b"'):
        read_sample({"a": "1", "b": "2"}, "here", ByHand(by_hand))
    found = read_sample({"text": "t"}, "here", ByHand(by_hand, required=False)).record
    assert found is not None
    assert found.text == "t"


@pytest.mark.parametrize(
    "columns", ["question", "prompt=", "prompt=a", "prompt=a,text=b", "label=a", "text=a,text=b"]
)
def test_a_mapping_that_makes_no_sample_is_refused(columns: str) -> None:
    with pytest.raises(SettingsError, match="columns"):
        parse_columns(columns)
    assert parse_columns(" ") is None
