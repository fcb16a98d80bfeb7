"""Runs that are read on: the same as if they had been read from the beginning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qwen_ui.runs.follow import Follower

from qwen_ui.runs import Event, create_run, read_events
from qwen_ui.runs.events import FILE_NAME, EventLog
from qwen_ui.runs.fold import Digest
from qwen_ui.runs.side_by_side import overlay


def make_run() -> Path:
    return create_run({"model": "nano", "steps": 9}, {"name": "a"})


def append(folder: Path, *events: Event) -> None:
    log = EventLog(folder)
    for event in events:
        log.append(**event)
    log.close()


def start(at: int = 0) -> Event:
    return {"name": "start", "step": at}


def step(number: int, loss: float = 2.0) -> Event:
    times = {"seconds": 0.5, "elapsed": 0.5 * number, "tokens": 64 * number}
    return {"name": "step", "step": number, "loss": loss, **times}


def digest_of(folder: Path) -> dict[str, Any]:
    digest = Digest()
    digest.add_all(read_events(folder)[0])
    return digest.record()


@given(cuts=st.lists(st.integers(1, 4), min_size=1, max_size=5), back=st.integers(0, 6))
def test_a_run_read_in_parts_comes_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], back: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    follower: Follower[Digest] = Follower(Digest.add_all)
    events = [start(), *(step(n) for n in range(1, 8)), start(back), step(back + 1, 1.0)]
    while events:
        many = cuts.pop() if cuts else len(events)
        append(folder, *events[:many])
        events = events[many:]
        with follower.fold(folder, Digest) as digest:
            assert digest.record() == digest_of(folder)


def test_a_log_that_became_shorter_is_read_anew() -> None:
    folder = make_run()
    follower: Follower[Digest] = Follower(Digest.add_all)
    append(folder, start(), step(1), step(2))
    with follower.fold(folder, Digest) as digest:
        assert digest.step == 2
    os.truncate(folder / FILE_NAME, 0)
    append(folder, start(), step(1))
    with follower.fold(folder, Digest) as digest:
        assert digest.step == 1


def test_lines_laid_over_each_other_grow_and_a_resumed_run_is_drawn_anew() -> None:
    folder = make_run()

    def loss() -> Any:
        return overlay([folder.name])[0]["lines"].get("loss")

    assert loss() is None
    append(folder, start(), step(1, 3.0), step(2, 2.0))
    drawn = loss()
    append(folder, step(3, 1.0))
    assert loss() == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert drawn == ([1, 2], [3.0, 2.0]), "what was handed out is not changed"
    append(folder, start(1), step(2, 5.0))
    assert loss() == ([1, 2], [3.0, 5.0])


def test_two_axes_of_one_run_are_two_folds() -> None:
    folder = make_run()
    append(folder, start(), step(1), step(2))
    by_step = overlay([folder.name])[0]["lines"]["smooth"][0]
    by_tokens = overlay([folder.name], axis="tokens")[0]["lines"]["smooth"][0]
    assert (by_step, by_tokens) == ([1, 2], [64, 128])
