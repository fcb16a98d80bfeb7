"""The Compare tab's functions, called directly; its journey is in tests/browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from qwen_ui.compare import write_comparison
from qwen_ui.compare.comparison import Entry
from qwen_ui.errors import DataError, RunError, SettingsError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from qwen_ui.rank import METHODS, Ranking
from qwen_ui.rank.scores import Scores, scores_of
from qwen_ui.runs import Event, RunWriter, create_run, read_events, run_folder
from qwen_ui.runs.events import EventLog, log_size
from qwen_ui.ui.compare import asking
from qwen_ui.ui.compare import rank as compare_rank
from qwen_ui.ui.compare import view as compare_view
from qwen_ui.ui.page.data_choice import KJV, OWN, data_files, is_known_data, uploads_folder
from qwen_ui.ui.page.jobs import Jobs
from qwen_ui.ui.page.keep_choice import AUSTEN, NONE
from qwen_ui.ui.page.session import Session
from tests.helpers.finished_comparison import finished_comparison
from tests.helpers.waiting import answer_of


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Comparisons that a button began, their workers not started."""
    begun: list[Any] = []

    def begin(comparison: Any) -> Any:
        begun.append(comparison)
        return comparison

    monkeypatch.setattr("qwen_ui.ui.compare.asking.start_runs", begin)
    return begun


def test_one_click_is_both_plans_over_two_seeds_on_the_twin(begun: list[Any]) -> None:
    plans = [preset(name) for name in asking.CLASSIC]
    name = asking.begin_comparison(
        Session(), "qwen2.5-1.5b-instruct", plans, asking.Asked(KJV, None, "", AUSTEN, None, 60, 2)
    )
    (comparison,) = begun
    assert comparison.name == name == asking.latest_name()
    assert comparison.labels == ("attention on last:4", "bitfit on last:4")
    assert [entry.seed for entry in comparison.entries] == [0, 0, 1, 1]
    assert {entry.spec.model.source for entry in comparison.entries} == {"nano"}
    assert {entry.spec.optimization.steps for entry in comparison.entries} == {60}
    keeps = {entry.spec.data.keep for entry in comparison.entries}
    assert keeps == {str(ASSETS / "data" / "austen-keep.txt")}
    assert {entry.spec.data.keep for entry in comparison.searches} == {None}


def test_plans_are_compared_on_a_file_of_ones_own(begun: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("once upon a time\n" * 40)
    plans = asking.ticked_plans(["bitfit", asking.REFERENCE], "last:1", FreezePlan())
    asked = asking.Asked(OWN, str(file), "", NONE, None, 5, 1)
    asking.begin_comparison(Session(), "nano", plans, asked)
    first, second = begun[0].entries
    assert (first.spec.model.lora_rank, second.spec.model.lora_rank) == (0, 8)
    assert is_known_data(first.spec.data.source)
    assert Path(first.spec.data.source).read_text() == file.read_text()
    assert first.spec.data.eval_data is None
    assert first.spec.data.keep is None


@pytest.mark.parametrize("file", ["/etc/passwd", "uploads/../secret.txt", ""])
def test_a_request_ranks_no_file_but_those_of_the_page(file: str) -> None:
    named = str(uploads_folder() / file) if file[:1] != "/" else file
    with pytest.raises(DataError, match="not among the data"):
        compare_rank.scores("nano", named)


@pytest.mark.parametrize(("steps", "seeds"), [(0, 2), (60, 0), (None, 1)])
def test_no_steps_and_no_seeds_are_refused(steps: Any, seeds: Any) -> None:
    plans = [preset(name) for name in asking.CLASSIC]
    asked = asking.Asked(KJV, None, "", NONE, None, steps, seeds)
    with pytest.raises(SettingsError, match="at least 1"):
        asking.begin_comparison(Session(), "nano", plans, asked)


def test_the_plan_in_force_takes_part_under_a_name_of_its_own() -> None:
    ticked = ["bitfit", asking.IN_FORCE]
    plans = asking.ticked_plans(ticked, "last:2", preset("bitfit", "last:2"))
    assert [plan.name for plan in plans] == ["bitfit on last:2", "bitfit on last:2 (mine)"]
    (unnamed,) = asking.ticked_plans([asking.IN_FORCE], "all", FreezePlan())
    assert unnamed.name == "the current plan"


def ranked(*blocks: int) -> Ranking:
    scores = tuple(float(i in blocks) for i in range(28))
    return Ranking("nano", "some", Scores(scores, {}), 8)


def stand_in(monkeypatch: pytest.MonkeyPatch, found: dict[str, Ranking]) -> None:
    monkeypatch.setattr(
        "qwen_ui.rank.subprocess_run.rank_all_in_subprocess", lambda *_, **__: found
    )


def test_by_rank_trains_the_top_blocks_of_each_score(monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = ranked(0, 3, 20, 27), ranked(24, 25, 26, 27)
    found = {"gradient": early, "fisher": early, "weight": late, "change": ranked(0, 1, 2, 3)}
    stand_in(monkeypatch, found)
    index, first, second = compare_rank.ranked_plans("nano", "data", list(found))
    assert index.rules == preset("attention").rules
    assert index.name == "attention on last:4 by index (and by weight)"
    assert first.rules[0].layers == "0,3,20,27"
    assert first.name == "attention on 0,3,20,27 by gradient, fisher"
    assert second.name == "attention on first:4 by change"


@pytest.mark.parametrize("methods", [["weight"], []])
def test_where_all_are_the_same_there_is_nothing_to_compare(
    methods: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, {"weight": ranked(24, 25, 26, 27)})
    with pytest.raises(SettingsError, match=r"nothing to compare|at least one"):
        compare_rank.ranked_plans("nano", "data", methods)


def test_blocks_are_ranked_by_what_the_plan_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    """The MLP of block 0 has the largest gradient, the attention of block 5 the next."""
    cells = {(i, "self_attn.q_proj.weight"): float(i in (5, 6, 7, 8)) for i in range(28)}
    cells |= {(i, "mlp.up_proj.weight"): 9.0 * (i < 4) for i in range(28)}
    ranking = Ranking("nano", "gradient", scores_of(cells, 28, "norm"), 8)
    assert set(ranking.top()) == {0, 1, 2, 3}
    stand_in(monkeypatch, {"gradient": ranking})
    _, plan = compare_rank.ranked_plans("nano", "data", ["gradient"])
    assert plan.rules[0].layers == "5-8"


def test_the_scores_of_every_method_are_shown_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch, {method: ranked(1, 2, 3, number) for number, method in enumerate(METHODS)}
    )
    monkeypatch.setattr(compare_rank, "JOBS", Jobs())
    asked = json.loads(compare_rank.asked_of("nano", data_files(KJV, None)[0]))
    found = answer_of(lambda: compare_rank.scores(**asked))
    assert [method["name"] for method in found["methods"]] == list(METHODS)
    assert all(m["what"] and m["formula"] and "arXiv" in m["source"] for m in found["methods"])
    for scored in ("trained", "all"):
        assert found[scored]["orders"][5][:4] == [5, 3, 2, 1]
        assert len(found[scored]["agreement"]) == len(METHODS)


def test_blocks_of_the_table_become_the_plan_in_force() -> None:
    asked = json.loads(compare_rank.asked_of("nano", data_files(KJV, None)[0]))
    use = {"method": "gradient", "blocks": [15, 0, 9, 7]}
    plan = compare_rank.plan_used(json.dumps(asked | {"use": use}))
    names = resolve(plan, open_model("nano")).names
    assert names == resolve(preset("attention", "0,7,9,15"), open_model("nano")).names
    assert plan.name == "attention on 0,7,9,15 by gradient"
    for wrong in ("", "[]", json.dumps(asked), json.dumps({"use": {**use, "blocks": ["x"]}})):
        with pytest.raises(SettingsError, match="Reload the page"):
            compare_rank.plan_used(wrong)


def test_the_view_of_nothing_says_so() -> None:
    with pytest.raises(RunError, match="no comparison"):
        compare_view.state("../x")
    assert asking.latest_name() == ""


def test_the_view_asked_again_reads_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    made = finished_comparison(4.0, 5.0)
    sizes = {name: log_size(run_folder(name)) for name in made.runs}
    read: list[tuple[str, int, int]] = []  # run, from, to

    def reading(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
        events, end = read_events(folder, offset)
        read.append((folder.name, offset, end))
        return events, end

    monkeypatch.setattr("qwen_ui.runs.reader.read_events", reading)
    first = compare_view.state(made.name)
    assert {(run, to) for run, _, to in read} == set(sizes.items())
    read.clear()
    assert compare_view.state(made.name) == first
    assert {(run, start, to) for run, start, to in read} == {
        (run, size, size) for run, size in sizes.items()
    }
    read.clear()
    name = made.runs[0]
    log = EventLog(run_folder(name))
    log.append("step", step=3, loss=4.5, seconds=0.5, elapsed=1.5, tokens=192)
    log.close()
    found = compare_view.state(made.name)
    assert [run["step"] for run in found["runs"]] == [3, 2]
    assert found["runs"][0]["lines"]["smooth"][0] == [1, 2, 3]
    assert all(start >= sizes[run] for run, start, _ in read)


def test_the_view_shows_what_was_searched_for_and_said() -> None:
    made = finished_comparison(4.0, 5.0)
    finder = made.entries[0].spec.finder()
    folder = create_run(finder.to_dict(), finder.plan)
    label = made.labels[0]
    searching = replace(made, searches=(Entry(label, 1, finder, folder.name),))
    write_comparison(searching)
    with RunWriter(folder) as writer:
        writer.event("log", level="warning", message="<i>cut</i>")
        writer.event("trial", rate=0.01, loss=4.5, steps=10, elapsed=1.0)
        writer.event("trial", rate=0.03, loss=4.2, steps=10, elapsed=2.0)
        writer.event("trial", rate=0.1, loss=None, steps=10, elapsed=3.0)
        found = compare_view.state(made.name)
        assert not found["over"]
        assert found["searches"][0]["trials"] == ((0.01, 4.5), (0.03, 4.2), (0.1, None))
        writer.event("end", status="completed", learning_rate=0.02)
        writer.status("completed")
    found = compare_view.state(made.name)
    assert found["over"]
    assert orjson.loads(orjson.dumps(found))["searches"][0]["rate"] == 0.02
    assert [row["rate_seconds"] for row in found["rows"]] == [3.0, 0.0]
    assert found["notes"] == [f"{label}: <i>cut</i>"]
    page = compare_view.report(made.name, "html")["text"]
    assert page.count("<svg") == 4
    assert "&lt;i&gt;cut&lt;/i&gt;" in page
    assert "<i>" not in page


def test_the_view_shows_rows_verdict_curves_and_samples() -> None:
    made = finished_comparison(4.0, 5.0)
    found = compare_view.state(made.name)
    assert json.loads(orjson.dumps(found))["rows"][0]["losses"] == {"0": 4.0}, "as gradio sends it"
    assert found["over"]
    assert [row["after"] for row in found["rows"]] == [4.0, 5.0]
    assert found["verdict"].startswith("attention on last:4 ends at 4.000 nats")
    assert found["runs"][0]["lines"]["eval"]
    assert found["samples"][0] == {
        "plan": "attention on last:4",
        "prompt": "And",
        "before": " <b>so</b>",
        "after": " it came",
    }
    text = compare_view.report(made.name, "markdown")["text"]
    assert "| attention on last:4 |" in text
    page = compare_view.report(made.name, "html")["text"]
    assert "<b>so</b>" not in page
    assert "&lt;b&gt;so&lt;/b&gt;" in page
    assert page.count("<svg") == 3
    assert found["verdict"].split(" nats")[0] in page
    # Nothing is asked for from outside, and nothing runs.
    assert not re.search(r"""(src|href)\s*=|url\(|<script|@import""", page)
    assert "kjv-train.txt" in found["setup"] in page
    assert (
        found["headline"]
        == "So far attention on last:4 ends 1.00 nats lower than bitfit on last:4, on one seed"
    )
