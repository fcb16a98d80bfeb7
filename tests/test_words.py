"""One word for one thing, in every text that a person reads: the page, the terminal, reports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.page_texts import NOT_ON_THE_PAGE, PACKAGE, page_texts
from scripts.texts.found import Found
from scripts.texts.python_texts import texts_of
from tests.helpers.commands import commands

HOLE = re.compile(r"\{\w+\}")  # its name is the code's
# What is not said: (pattern, what is said instead, {part of a text: why it may stay}).
WORDS: list[tuple[str, str, dict[str, str]]] = [
    (
        r"\blayers?\b",
        "block",
        {
            "layer expression": "the value of `layers` in a plan and of --layers",
            "--layers": "the option",
            "@layers": "the form of a comparison's plan",
            "Leave `layers` empty": "the key of a plan",
            "a decoder layer": "says what a block is",
            "layer norm": "the name of an operation",
            "linear layers": "PEFT's word for what it adapts",
            "of adapted layers": "PEFT's word for what it adapts",
            "the layers inside it": "PEFT's word for what it adapts",
            "layers_to_transform": "a setting of PEFT's",
            "PEFT refuses layers": "a setting of PEFT's",
            "torchtune's recipes": "torchtune's word",
            r"layers\.2": "a part of the tensors' names",
            "layers.2 and": "a part of the tensors' names",
            "the vision tower": "an encoder has no blocks here",
            "*Expected*": "quotes the configuration's num_hidden_layers",
        },
    ),
    (
        r"\b(?:training|evaluation|data) (?:examples?|rows?)\b|\bvalidation (?:samples?|loss)\b",
        "sample (of a file), sequence (of tokens), held-out samples, evaluation loss",
        {},
    ),
    (r"\beval(?:uation)? samples?\b", "held-out samples", {}),
    (r"\bheld-out loss\b|\btest (?:loss|set)\b", "evaluation loss", {}),
    (r"\bLR\b|\blearning-rate of\b|\blearning rates? finder\b", "learning rate", {}),
    (r"\bde-?freez|\bun-?frozen\b|\btunable\b", "trainable", {}),
]


@pytest.fixture(scope="module")
def texts() -> list[Found]:
    """Every text of the page, of the terminal and of what is downloaded."""
    found = page_texts()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(NOT_ON_THE_PAGE):
            found += texts_of(path, name)
    for name, command in commands().items():
        found.append(Found(command.help or "", name))
        found += [Found(one.help or "", f"{name} {one.name}") for one in command.params]
    return found


@pytest.mark.parametrize(("pattern", "instead", "allowed"), WORDS, ids=[w[1] for w in WORDS])
def test_a_thing_has_one_word(
    texts: list[Found], pattern: str, instead: str, allowed: dict[str, str]
) -> None:
    del instead
    wrong = [
        f"{one.place}: {one.text}"
        for one in texts
        if re.search(pattern, HOLE.sub("", one.text))
        and not any(part in one.text for part in allowed)
    ]
    assert wrong == []


def test_no_exception_is_left_over(texts: list[Found]) -> None:
    said = [one.text for one in texts]
    parts = [part for _, _, allowed in WORDS for part in allowed]
    assert [part for part in parts if not any(part in text for text in said)] == []


def test_rates_are_written_by_the_one_formatter() -> None:
    """Neither `{rate:g}` nor `{rate:.1e}`: `formats.rate_text` says 0.001 and 2e-5 everywhere."""
    # A float that is rounded by way of its text is no text.
    wrong = re.compile(r"(?<!float\(f\")\{[^{}:]*rate[^{}:]*:[.\d]*[eg]\}")
    found = {
        f"{path.relative_to(PACKAGE)}: {one}"
        for path in sorted(Path(PACKAGE).rglob("*.py"))
        for one in wrong.findall(path.read_text(encoding="utf-8"))
    }
    assert found == set()
