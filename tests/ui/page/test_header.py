"""The header's pure parts and its session."""

from __future__ import annotations

import threading

import pytest

from qwen_ui.errors import ModelError
from qwen_ui.formats import short_bytes, short_count
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.model import Anatomy, open_model
from qwen_ui.ui.page.facts import facts, facts_html
from qwen_ui.ui.page.header import summary_html
from qwen_ui.ui.page.session import MAX_OPEN_MODELS, Session
from tests.helpers.built_app import built_app


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


def test_facts_of_the_default_model(session: Session) -> None:
    found = {
        label: (value, exact)
        for label, value, exact in facts(session.anatomy("qwen2.5-1.5b-instruct"))
    }
    assert found["parameters"] == ("1.54 B", "1,543,714,304 in 338 tensors")
    assert found["blocks"] == ("28", "Qwen2DecoderLayer")
    assert found["heads"][0] == "12 / 2"
    assert found["head"] == ("tied", "model.embed_tokens.weight = lm_head.weight")
    assert found["bfloat16"] == ("3.09 GB", "3,087,428,608 bytes")


def test_facts_are_escaped(session: Session) -> None:
    assert "1,543,714,304" in facts_html(session.anatomy("qwen2.5-1.5b-instruct"))


def test_the_sentence_follows_model_and_plan(session: Session) -> None:
    assert "8,192 of 1,543,714,304" in summary_html(
        session, "qwen2.5-1.5b-instruct", preset("bitfit")
    )
    assert "everything is frozen" in summary_html(session, "nano", FreezePlan())
    assert summary_html(session, "", FreezePlan()) == ""


def test_a_plan_that_trains_nothing_here_says_why_and_is_escaped(session: Session) -> None:
    plan = FreezePlan.from_dict({"schema": 1, "rules": [{"regex": "<b>"}]})
    said = summary_html(session, "nano", plan)
    assert "trains nothing" in said
    assert "<b>" not in said


def test_a_model_is_built_once_for_all_threads(session: Session) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(session.anatomy("qwen2.5-0.5b-instruct")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(anatomy) for anatomy in found}) == 1
    assert len(found) == 4


def test_a_model_that_does_not_open_is_not_kept(session: Session) -> None:
    for _ in range(2):
        with pytest.raises(ModelError):
            session.anatomy("no-such-model")
    assert MAX_OPEN_MODELS > 1


def test_numbers_are_short_for_reading() -> None:
    assert [short_count(n) for n in (8192, 154_198, 22_028_288, 1_543_714_304)] == [
        "8,192",
        "154 K",
        "22.0 M",
        "1.54 B",
    ]
    assert [short_bytes(n) for n in (12, 16_384, 3_087_428_608)] == ["12 B", "16.4 kB", "3.09 GB"]


def test_who_opens_another_model_does_not_wait(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, finish = threading.Event(), threading.Event()

    def slow(source: str) -> Anatomy:
        if source == "slow":
            began.set()
            assert finish.wait(30)
        return open_model("nano")

    monkeypatch.setattr("qwen_ui.ui.page.session.open_within_limits", slow)
    waiting = threading.Thread(target=session.anatomy, args=("slow",))
    waiting.start()
    try:
        assert began.wait(30)
        assert session.anatomy("another").block_count == 28
        assert waiting.is_alive()
    finally:
        finish.set()
        waiting.join()


def test_an_event_that_shows_no_progress_writes_its_status_to_no_component() -> None:
    events = built_app().get_config_file()["dependencies"]
    # What programs call has no component that it follows.
    ours = [event for event in events if event["targets"]]
    hidden = [event for event in ours if event["show_progress"] == "hidden"]
    assert len(hidden) > 20
    assert [event["api_name"] for event in hidden if event["show_progress_on"] != []] == []
