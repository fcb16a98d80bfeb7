"""What the cells of the selector are shaded by, without a browser."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import DataError, PlanError, SettingsError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.model.weights.fit import weights_of
from qwen_ui.model.weights.grid import measure_tensor
from qwen_ui.rank import METHODS, rank_in_subprocess
from qwen_ui.ui.freeze import heat
from qwen_ui.ui.freeze.selection_data import names_of, ranges_of
from qwen_ui.ui.page.data_choice import KJV, data_files
from qwen_ui.ui.page.jobs import Jobs
from tests.helpers.waiting import answer_of, until

NANO = open_model("nano")
LARGE = open_model("qwen2.5-1.5b-instruct")


def finished(anatomy: Any, name: str) -> dict[str, Any]:
    return answer_of(lambda: heat.measure_heat(anatomy, name), patience=240)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Jobs:
    """Rankings and jobs of its own, on the beginning of the demonstration data."""
    text = Path(data_files(KJV, None)[0]).read_text(encoding="utf-8")[:20_000]
    (tmp_path / "short.txt").write_text(text, encoding="utf-8")
    monkeypatch.setattr(heat, "data_files", lambda *_: (str(tmp_path / "short.txt"), None))
    monkeypatch.setenv("QWEN_UI_HOME", str(tmp_path))
    monkeypatch.setattr(heat, "JOBS", Jobs())
    return heat.JOBS


def test_a_statistic_of_the_weights_has_a_number_for_every_tensor_of_a_block(apart: Jobs) -> None:
    answer = finished(NANO, "weight:standard deviation")
    stored = weights_of(NANO).tensors
    for parameter, value in zip(NANO.parameters, answer["values"], strict=True):
        assert (value is None) == (parameter.block is None)
        if value is not None and parameter.block in (0, 27):
            exact = measure_tensor(stored[parameter.name], "standard deviation")
            assert value == pytest.approx(exact, rel=1e-5)
    assert answer["blocks"] is None
    assert answer["order"] == []


@pytest.mark.slow
def test_scores_are_those_of_the_ranking_and_the_twin_stands_in(
    apart: Jobs, tmp_path: Path
) -> None:
    """The 1.5 B has no weights here: its twin of equal blocks and kinds is ranked, and named."""
    answer = finished(LARGE, "rank:gradient")
    ranking = rank_in_subprocess("nano", str(tmp_path / "short.txt"), "gradient")
    assert answer["blocks"] == pytest.approx(list(ranking.scores.blocks), rel=1e-5)
    assert answer["order"][:4] == list(ranking.top(4))
    assert "nano" in answer["said"]
    assert "not on this machine" in answer["said"]
    for parameter, value in zip(LARGE.parameters, answer["values"], strict=True):
        if parameter.block is not None:
            assert value == pytest.approx(
                ranking.scores.cells[parameter.block, parameter.kind], rel=1e-5
            )
    assert "ranking" not in answer  # what stays here would not be JSON
    attention = resolve(preset("attention"), LARGE)
    asked = (ranges_of(LARGE, attention.names), "attention on last:4", "rank:gradient", "4")
    kinds = {parameter.kind for parameter in attention.parameters}
    for taken, expected in (
        (heat.take_top(LARGE, *asked), ranking.of_kinds(kinds)),  # as the Compare tab ranks
        (heat.take_top(LARGE, *asked, scored="all"), ranking),
    ):
        moved = {LARGE.by_name[name] for name in names_of(LARGE, taken["ranges"])}
        assert {p.block for p in moved} == set(expected.top(4))
        assert {p.role for p in moved} == {"attention"}
        assert taken["name"].startswith("attention on ")


def test_every_method_of_the_ranking_is_offered_once_and_by_no_name_of_ours() -> None:
    weights, ranks = heat.list_heats(NANO)["groups"]
    assert [name for name, _, _ in ranks["heats"]] == [f"rank:{method}" for method in METHODS]
    assert weights["problem"] == ranks["problem"] == ""
    weights, ranks = heat.list_heats(LARGE)["groups"]
    assert "not on this machine" in weights["problem"]
    assert "nano" in ranks["label"]


def test_a_model_that_the_twin_is_no_twin_of_has_no_scores(apart: Jobs) -> None:
    other = open_model("qwen2.5-0.5b-instruct")
    assert "nano differs" in heat.list_heats(other)["groups"][1]["problem"]
    with pytest.raises(SettingsError, match="no twin of it"):
        finished(other, "rank:weight")


def test_what_trains_outside_the_blocks_stays() -> None:
    names = resolve(preset("bitfit"), NANO).names | {"model.norm.weight"}
    moved = heat.on_blocks(NANO, frozenset(names), [2, 9], "bitfit on last:4", "rank:weight")
    assert "model.norm.weight" in moved.names
    assert {NANO.by_name[name].block for name in moved.names} == {2, 9, None}
    assert moved.plan.name == "bitfit on 2,9 by weight"


def test_mistakes_are_sentences(apart: Jobs) -> None:
    with pytest.raises(SettingsError, match="nothing called 'rank:magic'"):
        heat.measure_heat(NANO, "rank:magic")
    with pytest.raises(SettingsError, match="no block scores yet"):
        heat.take_top(NANO, "0", "", "rank:gradient", "4")
    with pytest.raises(PlanError, match="nothing in the blocks"):
        heat.on_blocks(NANO, frozenset({"model.norm.weight"}), [1], "", "rank:weight")


def test_work_is_begun_once_told_while_it_runs_and_kept() -> None:
    jobs, go, begun = Jobs(), threading.Event(), []

    def work(tick: Any) -> dict[str, Any]:
        begun.append(1)
        tick(3, 10)
        go.wait(20)
        return {"found": 7}

    until(lambda: jobs.ask("a", work)["working"]["done"] == 3)
    assert jobs.ask("a", work)["working"]["total"] == 10
    assert jobs.found("a") is None
    go.set()
    assert answer_of(lambda: jobs.ask("a", work)) == jobs.found("a") == {"found": 7}
    assert begun == [1]


def test_work_that_failed_is_told_and_tried_again() -> None:
    jobs, results = Jobs(), [DataError("No text."), None]

    def work(tick: Any) -> dict[str, Any]:
        error = results.pop(0)
        if error is not None:
            raise error
        return {"found": 1}

    with pytest.raises(DataError, match=r"No text\."):
        answer_of(lambda: jobs.ask("a", work))
    assert answer_of(lambda: jobs.ask("a", work)) == {"found": 1}
