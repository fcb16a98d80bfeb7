"""The fold of a run's events: the same however they come, and a resumed run counts once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import Event, RunFold
from qwen_ui.runs.fold import STEP_COLUMNS
from tests.helpers.run_events import evaluation, fold_of, start, step


def sample(number: int) -> Event:
    return {"event": "sample", "step": number, "prompt": "And", "text": f" {number}"}


def movement(number: int) -> Event:
    return {"event": "movement", "step": number, "blocks": [[3, 0.1]]}


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of a run that is resumed a few times, at any step that it has done."""
    events: list[Event] = []
    done = 0
    for back in [0.0, *draw(st.lists(st.floats(0, 1), max_size=3))]:
        done = int(back * done)
        events.append(start(done))
        for number in range(done + 1, done + 1 + draw(st.integers(0, 5))):
            events += [step(number, draw(st.floats(0, 9) | st.none())), sample(number)]
            events += [evaluation(number, 1.0), movement(number)][: draw(st.integers(0, 2))]
            done = number
        events += [{"event": "end", "status": "stopped"}] * draw(st.integers(0, 1))
    return events


@given(histories(), st.integers(0, 40))
def test_events_in_two_parts_or_one_by_one_come_to_the_same(events: list[Event], cut: int) -> None:
    whole = fold_of(events)
    parts = fold_of(events[:cut])
    parts.add_all(events[cut:])
    single = RunFold()
    for event in events:
        single.add(event)
    assert parts == whole == single


@given(histories())
def test_what_a_start_takes_back_might_never_have_been(events: list[Event]) -> None:
    starts = [row for row, event in enumerate(events) if event["event"] == "start"]
    back = events[starts[-1]]["step"]
    kept = [
        event
        for event in fold_of_last_lives(events[: starts[-1]])
        if event["event"] != "end" and back and event["step"] <= back
    ]
    assert fold_of(events) == fold_of([*kept, *events[starts[-1] :]])


def fold_of_last_lives(events: list[Event]) -> list[Event]:
    """The same rule written the slow way: event by event, each start drops what came after it."""
    kept: list[Event] = []
    for event in events:
        if event["event"] == "start":
            back = event["step"]
            kept = [e for e in kept if e["event"] != "end" and back and e["step"] <= back]
        kept.append(event)
    return kept


def test_a_start_forgets_what_was_recorded_after_its_step() -> None:
    first = [start(), evaluation(0, 6.0), step(1), sample(1), step(2), evaluation(2, 5.0)]
    later = [step(3, 9.0), sample(3), movement(3), {"event": "end", "status": "stopped"}]
    fold = fold_of([*first, *later, start(2), step(3, 1.0)])
    assert fold.columns["step"] == [1, 2, 3]
    assert fold.columns["loss"] == [2.0, 2.0, 1.0]
    assert [event["step"] for event in fold.evals] == [0, 2]
    assert [event["step"] for event in fold.samples] == [1]
    assert (fold.movements, fold.end, fold.start["step"]) == ([], {}, 2)


def test_a_run_that_begins_anew_has_one_evaluation_before_its_first_step() -> None:
    fold = fold_of([start(), evaluation(0, 6.0), sample(0), step(1), start(), evaluation(0, 6.5)])
    assert [event["loss"] for event in fold.evals] == [6.5]
    assert (fold.samples, fold.columns["step"]) == ([], [])


def test_what_a_step_lacks_is_a_gap() -> None:
    fold = fold_of([step(1), {"event": "step", "step": 2, "loss": "odd"}, step(3)])
    assert {len(column) for column in fold.columns.values()} == {3}
    assert fold.columns["loss"] == [2.0, None, 2.0]
    assert fold.columns["tokens"] == [100, None, 300]
    assert fold.columns["epoch"] == [None, None, None]
    assert fold.recorded == {"step", "tokens", "elapsed", "loss", "seconds", "gradient_norm"}
    assert fold.recorded < set(STEP_COLUMNS)


@pytest.mark.parametrize(
    ("values", "last"), [([1.0, 2.0], 2.0), ([1.0, None], 1.0), ([None], None), ([], None)]
)
def test_the_last_number_is_no_gap(values: list[Any], last: float | None) -> None:
    assert fold_of(step(n, loss) for n, loss in enumerate(values, start=1)).last("loss") == last


def test_events_of_other_names_change_nothing() -> None:
    assert fold_of([{"event": "of a later version", "step": 3}]) == RunFold()
