"""Runs without a browser: lists of a thousand runs, a chart of 100,000 points, their traffic.

Prints what `docs/runs.md` quotes. Everything is made in a folder of its own and removed.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qwen_ui.paths import runs_folder
from qwen_ui.runs import Status, changed_rows, create_run, list_runs, write_status
from qwen_ui.runs.events import FILE_NAME, encode
from qwen_ui.ui.page.run_view import poll
from qwen_ui.workers import Supervisor


def timed(call: Callable[[], Any], times: int = 5) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def write_run(steps: int) -> Path:
    folder = create_run({"model": "nano", "steps": steps}, {"name": "bench"})
    lines = [encode({"event": "start", "step": 0, "steps": steps})]
    lines += [encode(step_event(step)) for step in range(1, steps + 1)]
    (folder / FILE_NAME).write_text("\n".join(lines) + "\n")
    write_status(folder, Status("completed", step=steps, steps=steps, created=time.time()))
    return folder


def step_event(step: int) -> dict[str, Any]:
    return {
        "event": "step",
        "time": 1.0,
        "step": step,
        "loss": 4 + math.exp(-step / 5000) + 0.1 * math.sin(step),
        "learning_rate": 1e-3,
        "gradient_norm": 1 + 0.1 * math.cos(step),
        "seconds": 0.07,
        "elapsed": 0.07 * step,
        "tokens": 1024 * step,
        "memory_bytes": 10**9,
        "epoch": step / 100,
    }


def lists() -> None:
    for _ in range(1000):
        write_run(20)
    began = time.perf_counter()
    list_runs()
    print(f"1,000 runs, index built:        {time.perf_counter() - began:8.3f} s")
    print(f"1,000 runs, index there:        {timed(list_runs):8.3f} s")
    seen = changed_rows(runs_folder()).seen
    update = changed_rows(runs_folder(), seen)
    size = len(json.dumps(asdict(update)))
    seconds = timed(lambda: changed_rows(runs_folder(), seen))
    print(f"1,000 runs, nothing new:        {seconds:8.3f} s  {size:,} bytes")
    supervisor = Supervisor()
    supervisor.round()
    print(f"1,000 runs, a supervisor round: {timed(supervisor.round):8.3f} s")


def charts() -> None:
    for steps in (1_000, 100_000):
        folder = write_run(steps)
        asked: dict[str, Any] = {"run": folder.name}
        answer = poll(**asked)
        points = sum(len(line[0]) for line in answer["lines"].values())
        size = len(json.dumps(answer))
        print(
            f"{steps:>7,} steps, chart opened:   {timed(lambda a=asked: poll(**a)):8.3f} s", end=""
        )
        print(f"  {points:,} points, {size / 1000:.0f} kB")
        after = {**asked, "offset": answer["offset"], "carry": answer["carry"]}
        with (folder / FILE_NAME).open("a") as file:
            file.write(encode(step_event(steps + 1)) + "\n")
        size = len(json.dumps(poll(**after)))
        print(
            f"{steps:>7,} steps, one update:     {timed(lambda a=after: poll(**a)):8.4f} s", end=""
        )
        print(f"  {size:,} bytes")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        charts()
        lists()


if __name__ == "__main__":
    main()
