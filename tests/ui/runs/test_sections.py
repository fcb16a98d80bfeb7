"""What the sections of an opened run answer: about it, whom to talk to, what to take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwen_ui.compare import make_comparison, parse_plans, write_comparison
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.files import write_json
from qwen_ui.freeze import preset
from qwen_ui.model.weights import load_model  # noqa: F401  torch first, as in the dashboard
from qwen_ui.paths import home
from qwen_ui.runs import RunWriter, create_run, make_spec, note_resume, note_retry
from qwen_ui.ui.runs import playground
from qwen_ui.ui.runs.about import about
from qwen_ui.ui.runs.playground import Message, Sampling, Side, talk, talk_state
from qwen_ui.ui.runs.take_away import take, take_delta, take_state
from qwen_ui.workers import AskedSide
from qwen_ui.workers.playground import Answer
from tests.helpers.commands import KJV


def made(name: str = "x", *, delta: bool = True, model: str = "nano", **settings: Any) -> Path:
    plan = {**preset("attention", "last:4").to_dict(), "name": name}
    spec = make_spec(model=model, data=KJV, plan=plan, **{"steps": 4, **settings})
    folder = create_run(spec.to_dict(), plan)
    with RunWriter(folder) as run:
        run.event("start", step=0, learning_rate=0.02, learning_rate_source="suggested")
        run.event("end", status="completed")
        run.status("completed")
    if delta:
        (folder / "delta.safetensors").write_bytes(b"x")
    return folder


def rows(found: dict[str, Any]) -> dict[str, str]:
    return {label: value for group in found["groups"] for label, value in group["rows"]}


def test_an_opened_run_shows_all_settings_and_where_it_comes_from() -> None:
    first, second = made("first"), made("second", batch_size=3, seed=9)
    note_retry(second, first.name)
    note_resume(second)
    comparison = make_comparison("nano", parse_plans("attention,bitfit"), data=KJV, steps=2)
    from dataclasses import replace  # noqa: PLC0415

    entries = (replace(comparison.entries[0], run=second.name), *comparison.entries[1:])
    write_comparison(replace(comparison, entries=entries))
    found = about(second.name)
    shown = rows(found)
    assert shown["Batch size"] == "3"
    assert shown["Learning rate"] == "0.02 (suggested)"
    assert shown["Training data"] == KJV
    assert shown["torch"]
    assert "seed 9" in found["short"]
    said = [f"{line['text']} {line['run']}".strip() for line in found["lineage"]]
    assert said[0] == f"A retry of {first.name}"
    assert said[1].startswith("Resumed once, last on ")
    assert said[2] == f"A member of the comparison {comparison.name}."
    assert "--batch-size 3" in found["command"]
    assert about(first.name)["lineage"] == []
    # What there is a delta of can be verified against what it was trained from.
    assert found["base"] == "nano"
    (second / "delta.safetensors").unlink()
    assert about(second.name)["base"] == ""


def test_a_damaged_run_is_shown_as_far_as_it_goes() -> None:
    folder = made()
    (folder / "spec.json").write_text("{")
    (folder / "environment.json").write_text("[]")
    write_json(folder / "lineage.json", {"retry_of": [], "resumed": "x"})
    found = about(folder.name)
    assert found["command"].startswith("# ")
    assert found["lineage"] == []


def test_sides_are_the_base_and_the_runs_of_that_base() -> None:
    ours, other, bare = made("ours"), made("same base"), made("bare", delta=False)
    made("another", model=str(home()))
    sides = talk_state(ours.name)["sides"]
    assert [side["run"] for side in sides] == ["", ours.name, other.name]
    assert talk_state(ours.name)["why"] == ""
    assert "left no trained tensors" in talk_state(bare.name)["why"]


class Asked:
    """Stands where the worker is asked."""

    def __init__(self) -> None:
        self.sides: list[AskedSide] = []
        self.number = 0

    def ask(self, model: str, sides: list[AskedSide], sampling: dict[str, Any]) -> int:
        self.sides, self.number = list(sides), self.number + 1
        return self.number

    def answer(self, number: int) -> Answer:
        texts = [{"text": s.run, "tokens": 1, "seconds": 0.5, "ended": "end"} for s in self.sides]
        return Answer(number, texts, "done")

    def ready(self) -> None:
        return None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(playground, "_playground", found)
    playground._hidden.clear()
    return found


def side(run: str) -> Side:
    return Side(run=run, messages=[Message(role="user", content="hello")])


def test_the_order_of_blind_sides_is_random_and_told_with_the_vote_alone(asked: Asked) -> None:
    run = made().name
    orders = set()
    for _ in range(40):
        number = talk(run, [side(""), side(run)], Sampling(), blind=True)["number"]
        shown = [s.run for s in asked.sides]
        orders.add(tuple(shown))
        written = playground.talk_written(number)
        assert all(s["seconds"] == 0 for s in written["sides"])
        found = playground.talk_vote(number, "second")
        assert shown[0] == ["", run][found["first"]]
        with pytest.raises(RunError, match="its vote already"):
            playground.talk_vote(number, "first")
    assert len(orders) == 2
    assert sum(found["wins"]) == 40
    assert talk(run, [side(""), side(run)], Sampling())["number"] == 41
    assert [s.run for s in asked.sides] == ["", run]
    assert playground.talk_written(41)["sides"][0]["seconds"] == 0.5
    with pytest.raises(RunError, match="two sides"):
        talk(run, [side(run)], Sampling(), blind=True)


def test_what_cannot_be_taken_is_said(tmp_path: Path) -> None:
    run, bare = made().name, made(delta=False).name
    assert take_state(bare)["delta"] is None
    assert take_state(run)["delta"]["bytes"] == 1
    with pytest.raises(RunError, match="nothing to take away"):
        take(bare, "merge")
    with pytest.raises(RunError, match="nothing to download"):
        take_delta(bare)
    with pytest.raises(SettingsError, match="exists already"):
        take(run, "merge", output=str(tmp_path))
    with pytest.raises(SettingsError, match="not an absolute path"):
        take(run, "merge", output="here")
    with pytest.raises(SettingsError, match="path"):
        take(run, "merge", output="/" + "x" * 900)
    with pytest.raises(SettingsError, match="not a repository's name"):
        take(run, "push", repo="a/b/c")
    assert take_state(run)["exports"] == {}
