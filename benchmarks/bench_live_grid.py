"""What the live grid costs: processor time of a run on nano with it and without.

    python -m benchmarks.bench_live_grid [--steps 200] [--rounds 3]

Each run is a process of its own; processor time is that of the process, all threads together, from
its first step to its end. Runs with and without take turns, so that what else the machine does
falls on both; the first of a pair is by turns the one with. What the pictures themselves took (the
copies, the norms, the event) is counted in the run with them: runs differ by more than that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PLANS = ("attention", "full")
_RUN = """
import json, os, sys, time
from pathlib import Path
from qwen_ui.engine import live_grid, trainer
plan, steps, on, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "on", Path(sys.argv[4])
if not on:
    live_grid.PICTURES = 0
from qwen_ui.freeze import preset
from qwen_ui.runs import create_run, fold_run, make_spec
from qwen_ui.workers.worker import main
spec = make_spec(model="nano", data="kjv-train", plan=preset(plan).to_dict(), steps=steps,
                 sample_tokens=0, threads=1)
run = create_run(spec.to_dict(), spec.plan)
spent = [0.0]
def counted(name):
    inner = getattr(live_grid.LiveGrid, name)
    def outer(self, *given):
        begin = time.process_time()
        found = inner(self, *given)
        spent[0] += time.process_time() - begin
        return found
    setattr(live_grid.LiveGrid, name, outer)
for name in ("_before", "_after", "take"):
    counted(name)
begun, train = [], trainer.Trainer._train
def timed(self):
    begun.append(time.process_time())
    found = train(self)
    begun.append(time.process_time())
    return found
trainer.Trainer._train = timed
main(run)
events = (run / "events.jsonl").read_bytes().splitlines()
grids = [line for line in events if b'"event": "grid"' in line]
seconds, size = begun[1] - begun[0], sum(map(len, grids))
told = {"seconds": seconds, "pictures": len(grids), "inside": spent[0], "bytes": size}
print("RESULT", json.dumps(told))
"""


def measure(plan: str, steps: int, *, on: bool) -> dict[str, Any]:
    """Processor time of the steps of one run, pictures and their bytes."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, plan, str(steps), "on" if on else "off", home],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "QWEN_UI_HOME": home, "HF_HUB_OFFLINE": "1"},
            cwd=Path(__file__).resolve().parent.parent,
        )
    (line,) = [text for text in done.stdout.splitlines() if text.startswith("RESULT")]
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found


def spread(seconds: list[float]) -> str:
    """From the least to the most."""
    return f"{min(seconds):.2f} to {max(seconds):.2f}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for plan in PLANS:
        runs: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        for turn in range(given.rounds):
            for on in (bool(turn % 2), not turn % 2):
                runs[on].append(measure(plan, given.steps, on=on))
        seconds = {on: [run["seconds"] for run in found] for on, found in runs.items()}
        middle = {on: statistics.median(found) for on, found in seconds.items()}
        inside = [100 * run["inside"] / run["seconds"] for run in runs[True]]
        last = runs[True][-1]
        print(
            f"{plan}: {middle[False]:.2f} s of processor time without ({spread(seconds[False])}), "
            f"{middle[True]:.2f} s with ({spread(seconds[True])}; "
            f"{100 * (middle[True] / middle[False] - 1):+.2f} %); pictures themselves "
            f"{statistics.median(inside):.2f} % ({max(inside):.2f} at most), "
            f"{last['pictures']} pictures, {last['bytes']:,} bytes",
            flush=True,
        )


if __name__ == "__main__":
    main()
