"""Runs that are read on: only what is new, and the same as if read from the beginning."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import Event, delete_run, fold_run, reading, run_summary
from qwen_ui.runs.events import FILE_NAME, log_size, read_parts
from qwen_ui.runs.reader import Readers
from qwen_ui.runs.side_by_side import run_curves
from tests.helpers.run_events import append, finished, new_run, start, step


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """From which byte to which was read."""
    spans: list[tuple[int, int]] = []

    def reading_parts(folder: Path, offset: int = 0) -> Iterator[tuple[list[Event], int, int]]:
        ends = [offset]
        for events, end, unreadable in read_parts(folder, offset):
            ends.append(end)
            yield events, end, unreadable
        spans.append((offset, ends[-1]))

    for module in ("events", "folded"):
        monkeypatch.setattr(f"qwen_ui.runs.{module}.read_parts", reading_parts)
    return spans


@given(cuts=st.lists(st.integers(1, 4), min_size=1, max_size=5), back=st.integers(0, 6))
def test_a_run_read_in_parts_comes_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], back: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    events = [start(), *(step(n) for n in range(1, 8)), start(back), step(back + 1, 1.0)]
    readers = Readers()
    while events:
        many = cuts.pop() if cuts else len(events)
        append(folder, *events[:many])
        events = events[many:]
        with readers.reading(folder) as reader:
            assert reader.fold == fold_run(folder)


def test_a_second_call_reads_only_what_is_new(read: list[tuple[int, int]]) -> None:
    folder = new_run()
    append(folder, start(), step(1), step(2))
    size = log_size(folder)
    run_summary(folder)
    run_curves([folder.name])
    assert read == [(0, size), (size, size)]
    append(folder, step(3))
    read.clear()
    assert run_summary(folder)["losses"] == [2.0] * 3
    assert run_curves([folder.name])[0]["lines"]["loss"][0] == [1, 2, 3]
    assert read == [(size, log_size(folder)), (log_size(folder), log_size(folder))]


def test_a_resumed_run_is_read_on_too(read: list[tuple[int, int]]) -> None:
    folder = new_run()
    append(folder, start(), step(1), step(2))
    run_summary(folder)
    append(folder, start(1), step(2, 5.0))
    assert run_summary(folder)["losses"] == [2.0, 5.0]
    assert len(read) == 2
    assert read[1][0] == read[0][1]


def test_what_was_derived_is_kept_until_an_event_comes() -> None:
    folder = new_run()
    append(folder, start(), step(1))
    readers = Readers()
    with readers.reading(folder) as reader:
        reader.derived["mine"] = 1
    with readers.reading(folder) as reader:
        assert reader.derived == {"mine": 1}
    append(folder, step(2))
    with readers.reading(folder) as reader:
        assert reader.derived == {}


def test_a_log_that_became_shorter_is_read_anew() -> None:
    folder = new_run()
    readers = Readers()
    append(folder, start(), step(1), step(2))
    with readers.reading(folder) as reader:
        assert reader.fold.columns["step"] == [1, 2]
        reader.derived["mine"] = 1
    os.truncate(folder / FILE_NAME, 0)
    append(folder, start(), step(1))
    with readers.reading(folder) as reader:
        assert reader.fold == fold_run(folder)
        assert reader.derived == {}


def test_the_readers_asked_for_last_are_kept() -> None:
    readers = Readers(most=2)
    first, second, third = (finished(name, 3.0) for name in "abc")
    for folder in (first, second, first, third):
        with readers.reading(folder):
            pass
    assert list(readers._readers) == [first, third]


def test_readers_of_deleted_runs_are_forgotten() -> None:
    readers = Readers()
    gone, stays = finished("a", 3.0), finished("b", 3.0)
    for folder in (gone, stays):
        with readers.reading(folder):
            pass
    delete_run(gone.name)
    with readers.reading(finished("c", 3.0)):
        assert stays in readers._readers
        assert gone not in readers._readers


def test_threads_take_turns_at_one_run() -> None:
    folder = new_run()
    append(folder, start(), *(step(n) for n in range(1, 200)))
    readers = Readers()
    found: list[int] = []

    def ask() -> None:
        with readers.reading(folder) as reader:
            found.append(len(reader.fold.columns["step"]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [199] * 8


def test_a_run_may_be_asked_for_inside_its_own_context() -> None:
    folder = finished("a", 3.0)
    with reading(folder) as outer, reading(folder) as inner:
        assert inner is outer
