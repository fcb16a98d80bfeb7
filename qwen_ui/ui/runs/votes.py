"""Votes between two sides whose names were hidden, and what they can tell.

`home()/votes.jsonl` holds a vote a line. A side is called by its run and strength; the base is "".
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from qwen_ui.files import locked, parse_json
from qwen_ui.paths import home

Choice = Literal["first", "second", "neither"]
NORMAL_975 = 1.96
MOST_VOTES = 20_000
MOST_LINE = 64 * 1024


def votes_file() -> Path:
    return home() / "votes.jsonl"


def side_key(run: str, strength: float) -> str:
    """What a side is called in the file: `base`, or the run and its strength."""
    return f"{run}@{strength:g}" if run and strength else "base"


def add_vote(sides: tuple[str, str], choice: Choice, prompt: str) -> None:
    """Keep a vote.

    Args:
        sides: their keys, in the order in which they were shown.
        prompt: what both were asked.
    """
    file = votes_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    vote = {"time": round(time.time()), "sides": sides, "choice": choice, "prompt": prompt[:2000]}
    with locked(file.with_suffix(".lock")), file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(vote, ensure_ascii=False) + "\n")


def tally(sides: tuple[str, str]) -> dict[str, Any]:
    """The votes between these two, whatever the order they were shown in.

    Returns:
        `wins` of each, `neither`, and `interval`: the 95 % interval of the share of decided votes
        that the first of `sides` won; None where there is none.
    """
    wins, neither = [0, 0], 0
    for shown, choice in _votes():
        if sorted(shown) != sorted(sides):
            continue
        if choice == "neither":
            neither += 1
        else:
            wins[sides.index(shown[0 if choice == "first" else 1])] += 1
    interval = wilson_interval(wins[0], sum(wins)) if sum(wins) else None
    return {"wins": wins, "neither": neither, "interval": interval}


def wilson_interval(wins: int, votes: int) -> tuple[float, float]:
    """95 % interval of a share, by Wilson's score (JASA 22, 1927, p. 209): binomial, both ends
    within 0 and 1, honest for few votes.
    """
    z2 = NORMAL_975**2
    share = wins / votes
    middle = share + z2 / (2 * votes)
    half = NORMAL_975 * math.sqrt(share * (1 - share) / votes + z2 / (4 * votes**2))
    low, high = (middle - half) / (1 + z2 / votes), (middle + half) / (1 + z2 / votes)
    return (low if wins else 0.0), (high if wins < votes else 1.0)


def _votes() -> Iterator[tuple[list[str], str]]:
    """(sides, choice) of the last votes; lines that are none are left out."""
    try:
        with votes_file().open(encoding="utf-8", errors="replace") as file:
            lines: Iterable[str] = file.readlines(MOST_VOTES * 1024)[-MOST_VOTES:]
    except FileNotFoundError:
        return
    for line in lines:
        try:
            vote = parse_json(line) if len(line) < MOST_LINE else None
        except ValueError:
            continue
        if not isinstance(vote, dict) or vote.get("choice") not in ("first", "second", "neither"):
            continue
        sides = vote.get("sides")
        if isinstance(sides, list) and len(sides) == 2 and all(isinstance(s, str) for s in sides):
            yield sides, vote["choice"]
