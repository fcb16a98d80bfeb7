"""No text of the page is outside the dictionary; what the sources say is found by reading them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scripts.page_texts import DICTIONARIES, checked, dead, page_texts
from scripts.texts import python_texts, template_texts
from scripts.texts.dead import corpus, dead_entries

HOLE = re.compile(r"\{(\w+)\}")
FILES = sorted(DICTIONARIES.glob("*.json"))
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")


def test_every_text_of_the_page_is_in_every_dictionary() -> None:
    texts = page_texts()
    assert len(texts) > 1000
    assert FILES
    for file in FILES:
        missing, unused = checked(file, texts)
        assert missing == [], f"{file.name} lacks texts: see docs/language.md"
        assert dead(unused, texts) == [], f"{file.name} has entries that nothing can show"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_translation_has_the_holes_of_its_text(file: Path) -> None:
    wrong = [
        english
        for english, translation in json.loads(file.read_text(encoding="utf-8"))["texts"].items()
        if not set(HOLE.findall(translation)) <= set(HOLE.findall(english)) or not translation
    ]
    assert wrong == []


def test_sentences_are_found_in_python_with_their_variants(tmp_path: Path) -> None:
    source = tmp_path / "some.py"
    source.write_text(
        '"""What a reader of the source is told."""\n'
        "def check(count: int, name: str) -> None:\n"
        '    """A docstring is not shown."""\n'
        '    logger.info("A message of the log is not shown.")\n'
        "    if count:\n"
        "        raise RunError(f\"'{name}' has {count:,} run{'s' if count > 1 else ''}. \"\n"
        '                       "Stop one.")\n'
        '    raise ValueError("An error of ours is not shown.")\n'
    )
    found = {one.text for one in python_texts.texts_of(source, "some.py")}
    assert found == {"'{name}' has {n} run. Stop one.", "'{name}' has {n} runs. Stop one."}


def test_texts_and_attributes_are_found_in_templates(tmp_path: Path) -> None:
    source = tmp_path / "some.html"
    source.write_text(
        '<p class="not shown" title="What it says">{{ FLAME }} The first {{ count }} rows\n'
        '{%- if more %}, and <b>{{ "one more" if one else "all others" }}</b>{% endif %}.</p>'
        "<code>not a text</code>"
    )
    found = {one.text for one in template_texts.texts_of(source, "some.html")}
    assert found == {"What it says", "The first {count} rows", "one more", "all others"}


def test_an_entry_is_dead_when_a_clause_of_it_stands_nowhere(tmp_path: Path) -> None:
    source = tmp_path / "some.py"
    source.write_text('said = "the weights of " "this model are damaged"\nword = "biases"\n')
    sources = corpus(["{n} blocks, of which"], [source], [])
    alive = ["{n}: the weights of this model are damaged.", "{kinds} biases of", "{n} blocks"]
    gone = ["The weights of this model are lost.", "{n} layers"]
    assert dead_entries([*alive, *gone], sources) == gone
