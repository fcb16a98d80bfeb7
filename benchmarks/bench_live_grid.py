"""What the live grid costs: processor time of a run on nano with it and without.

    python -m benchmarks.bench_live_grid [--steps 200] [--rounds 3]

Each run is a process of its own; processor time is that of the process, all threads together, from
its first step to its end. Runs with and without take turns, so that what else the machine does
falls on both.
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
print("RESULT", json.dumps({"seconds": begun[1] - begun[0], "pictures": len(grids),
                            "bytes": sum(map(len, grids))}))
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


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for plan in PLANS:
        pairs = [
            (measure(plan, given.steps, on=False), measure(plan, given.steps, on=True))
            for _ in range(given.rounds)
        ]
        without = statistics.median(off["seconds"] for off, _ in pairs)
        with_it = statistics.median(on["seconds"] for _, on in pairs)
        last = pairs[-1][1]
        print(
            f"{plan}: {without:.2f} s of processor time without, {with_it:.2f} s with "
            f"({100 * (with_it / without - 1):+.2f} %), {last['pictures']} pictures, "
            f"{last['bytes']:,} bytes"
        )


if __name__ == "__main__":
    main()
