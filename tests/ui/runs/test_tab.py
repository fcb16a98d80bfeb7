"""What the table of runs and the overlay ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_ui.compare import comparison_members, make_comparison, parse_plans, write_comparison
from qwen_ui.errors import RunError
from qwen_ui.ui.page.run_zoom import zoomed
from qwen_ui.ui.runs.tab import listing, overlaid
from tests.helpers.commands import KJV
from tests.helpers.run_events import append, new_run, start, step


def test_the_list_says_which_comparison_a_run_is_of_once() -> None:
    run = new_run()
    append(run, start(), step(1))
    made = make_comparison("nano", parse_plans("attention,bitfit"), data=KJV, steps=2)
    entries = (replace(made.entries[0], run=run.name), *made.entries[1:])
    write_comparison(replace(made, entries=entries))
    assert comparison_members()[run.name] == made.name
    first = listing()
    assert first["members"][run.name] == made.name
    assert first["rows"][0]["seed"] == 0
    again = listing(first["seen"], first["members_seen"])
    assert again["members"] is None
    assert again["members_seen"] == first["members_seen"]
    write_comparison(replace(made, entries=made.entries[1:]))
    assert run.name not in listing(first["seen"], first["members_seen"])["members"]


def test_an_overlay_is_smoothed_and_cut_as_it_is_asked_for() -> None:
    run = new_run()
    append(run, start(), *(step(n, float(n % 2)) for n in range(1, 9)))
    rough = overlaid([run.name], smoothing=0)["runs"][0]
    assert rough["lines"]["smooth"] == ([1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 1, 0, 1, 0, 1, 0])
    assert not rough["own"]
    smooth = overlaid([run.name], smoothing=0.9)["runs"][0]["lines"]["smooth"][1]
    assert 0.3 < min(smooth[2:]) <= max(smooth[2:]) < 0.8
    part = overlaid([run.name], smoothing=0, between=(3, 4))["runs"][0]["lines"]["smooth"]
    assert part == ([2, 3, 4, 5], [0, 1, 0, 1])


def test_the_part_of_a_run_that_is_zoomed_to() -> None:
    run = new_run()
    append(run, start(), *(step(n, float(n)) for n in range(1, 9)))
    lines = zoomed(run.name, 3, 4)["lines"]
    assert lines["loss"] == ([2, 3, 4, 5], [2, 3, 4, 5])
    assert "kl" not in lines
    with pytest.raises(RunError, match="There is no run"):
        zoomed("gone", 1, 2)
