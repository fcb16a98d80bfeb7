"""Files on which other tools failed, each a kind: what is read of them, and what carries loss."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from transformers import AutoTokenizer

from qwen_ui.data.batches import Examples, load_examples
from qwen_ui.paths import ASSETS

LENGTH = 512
END = "<|im_end|>"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "weather of a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    },
}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"town": "Ulm"}}}


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def lines(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def table(header: list[str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, ["stone bridge", "river letter"]])
    return text.getvalue()


TALK = [said("user", "stone bridge"), said("assistant", "river letter")]
PAIR = {"prompt": "stone bridge", "completion": "river letter"}
FROM = [{"from": "human", "value": "stone bridge"}, {"from": "gpt", "value": "river letter"}]
ANSWER = f"river letter{END}"
# name -> content of the file, what the loss is on, part of a note ("" where nothing needs saying)
CASES: dict[str, tuple[str | bytes, str, str]] = {
    "asstfirst.jsonl": (
        lines({"messages": [said("assistant", "hello"), *TALK]}), f"hello{END}{ANSWER}", "",
    ),
    "tools-nocalls.jsonl": (lines({"tools": [WEATHER], "messages": TALK}), ANSWER, ""),
    "parts.jsonl": (
        lines({
            "messages": [
                said("user", parts("stone bridge")), said("assistant", parts("river letter"))
            ]
        }),
        ANSWER, "",
    ),
    "sharegpt.jsonl": (lines({"id": "c0", "conversations": FROM}), ANSWER, "conversations"),
    "alpaca.jsonl": (
        lines({"instruction": "stone", "input": "bridge", "output": "river letter"}),
        ANSWER, "instruction + input -> prompt, output -> completion",
    ),
    "otherkeys.jsonl": (
        lines({"question": "stone bridge", "answer": "river letter"}),
        ANSWER, "question -> prompt, answer -> completion",
    ),
    "inputoutput.jsonl": (
        lines({"input": "stone bridge", "output": "river letter"}),
        ANSWER, "input -> prompt, output -> completion",
    ),
    "barelist.jsonl": (lines(TALK), ANSWER, ""),
    "lines.json": (lines(PAIR), ANSWER, ""),
    "pc.jsonl.gz": (gzip.compress(lines(PAIR).encode()), ANSWER, ""),
    "semi.csv": (table(["prompt", "completion"], ";"), ANSWER, ""),
    "spacehead.csv": (table(["prompt", " completion"], ","), ANSWER, ""),
    "tab.tsv": (table(["prompt", "completion"], "\t"), ANSWER, ""),
    "uneven.jsonl": (
        lines({
            "messages": [
                said("user", "stone"), said("user", "bridge"), said("assistant", "river"),
                said("assistant", "letter"),
            ]
        }),
        f"river{END}letter{END}", "",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(ASSETS / "nano")


def read(file: Path, content: str | bytes, tokenizer: Any) -> Examples:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_examples(str(file), tokenizer, LENGTH)


def on_loss(examples: Examples, tokenizer: Any) -> list[str]:
    """The decoded tokens that carry loss, of each sample."""
    return [
        tokenizer.decode([t for t, m in zip(e.tokens, e.loss_mask, strict=True) if m]).strip()
        for e in examples.items
    ]


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_on_the_answer_alone(tmp_path: Path, name: str, tokenizer: Any) -> None:
    content, wanted, note = CASES[name]
    found = read(tmp_path / name, content, tokenizer)
    assert on_loss(found, tokenizer) == [wanted]
    assert note in " ".join(found.notes)


def test_calls_carry_loss_and_results_do_not(tmp_path: Path, tokenizer: Any) -> None:
    turns = [
        said("user", "rain in Ulm?"),
        said("assistant", None, tool_calls=[CALL]),
        said("tool", "dry as dust"),
        said("assistant", "no rain"),
    ]
    found = read(
        tmp_path / "tools.jsonl", lines({"tools": [WEATHER], "messages": turns}), tokenizer
    )
    [learned] = on_loss(found, tokenizer)
    call = '{"name": "weather", "arguments": {"town": "Ulm"}}'
    assert learned == f"<tool_call>\n{call}\n</tool_call>{END}no rain{END}"
    shown = tokenizer.decode(found.items[0].tokens)
    assert "weather of a town" in shown
    assert "dry as dust" in shown


def test_a_table_of_conversations_is_read(tmp_path: Path, tokenizer: Any) -> None:
    file = tmp_path / "sharegpt.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([{"id": "c0", "conversations": FROM}]), file)
    assert on_loss(load_examples(str(file), tokenizer, LENGTH), tokenizer) == [ANSWER]


def test_empty_texts_are_left_out_and_counted(tmp_path: Path, tokenizer: Any) -> None:
    rows = lines({"text": "stone bridge"}, {"text": ""}, {"text": "river letter"})
    found = read(tmp_path / "emptytext.jsonl", rows, tokenizer)
    assert len(found.items) == 2
    assert found.notes == ('1 sample was left out: "text" is empty (emptytext.jsonl, line 2).',)
