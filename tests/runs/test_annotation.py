"""What a person notes of a run."""

from __future__ import annotations

from qwen_ui.runs import annotate, annotation_of
from qwen_ui.runs.annotation import MOST_NAME, MOST_NOTE, MOST_TAG, MOST_TAGS
from tests.helpers.run_events import new_run


def test_a_run_begins_without_a_note() -> None:
    assert annotation_of(new_run()) == {"name": "", "tags": [], "note": ""}


def test_what_is_not_given_stays() -> None:
    folder = new_run()
    annotate(folder.name, name=" mine ", tags=["a", "a", " b ", ""], note="n")
    assert annotation_of(folder) == {"name": "mine", "tags": ["a", "b"], "note": "n"}
    annotate(folder.name, note="")
    assert annotation_of(folder) == {"name": "mine", "tags": ["a", "b"], "note": ""}


def test_notes_have_a_length() -> None:
    folder = new_run()
    annotate(folder.name, name="x" * 9999, tags=[f"{n}" * 99 for n in range(99)], note="x" * 9999)
    found = annotation_of(folder)
    assert (len(found["name"]), len(found["note"])) == (MOST_NAME, MOST_NOTE)
    assert len(found["tags"]) == MOST_TAGS
    assert max(map(len, found["tags"])) == MOST_TAG
