"""Seconds from launch to the first loss of a run on nano, imports included.

    python -m benchmarks.bench_training_first_loss [--runs N] [--forked]

With `--forked`, workers come from a process that has the imports, as the dashboard's do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from typing import Any

from qwen_ui.freeze import preset
from qwen_ui.runs import make_spec
from qwen_ui.workers import preload, start, wait

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--forked", action="store_true")
    arguments = parser.parse_args()
    runs = arguments.runs
    if arguments.forked:
        preload(wait=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        seconds = [first_loss() for _ in range(runs)]
    print(
        f"first loss after {statistics.median(seconds):.1f} s in the median of {runs} runs "
        f"({', '.join(f'{s:.1f}' for s in seconds)}); load average {os.getloadavg()[0]:.1f}"
    )


def first_loss() -> float:
    spec = make_spec(
        model="nano",
        plan=preset("attention").to_dict(),
        data="assets/data/kjv-train.txt",
        eval_data="assets/data/kjv-eval.txt",
        steps=1,
    )
    seen: list[float] = []

    def look(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            seen.append(time.perf_counter())

    begun = time.perf_counter()
    wait(start(spec), look)
    return seen[0] - begun


if __name__ == "__main__":
    main()
