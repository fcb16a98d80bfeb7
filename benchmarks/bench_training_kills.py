"""Kill -9 of a real worker at random steps, then resume: bitwise what an unkilled run gives.

python -m benchmarks.bench_training_kills [--kills N]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from qwen_ui.freeze import preset
from qwen_ui.runs import make_spec, read_events, run_folder
from qwen_ui.workers import resume, start, wait, worker_pid

os.environ.setdefault("HF_HUB_OFFLINE", "1")

STEPS = 40


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        run_all(kills)


def run_all(kills: int) -> None:
    spec = make_spec(
        model="nano",
        plan=preset("attention").to_dict(),
        data="assets/data/kjv-train.txt",
        eval_data="assets/data/kjv-eval.txt",
        steps=STEPS,
        batch_size=2,
        sequence_length=32,
        checkpoint_every=5,
        eval_every=20,
        sample_tokens=0,
        threads=1,
    )

    def losses(folder: Path) -> list[float]:
        found = {e["step"]: e["loss"] for e in read_events(folder)[0] if e["event"] == "step"}
        return [found[step] for step in sorted(found)]

    whole = run_folder(wait(start(spec))["run"])
    expected, delta = losses(whole), (whole / "delta.safetensors").read_bytes()
    equal, chance = 0, random.Random(0)
    at_steps = []
    for _ in range(kills):
        kill_at = chance.randrange(1, STEPS)
        run = start(spec)
        folder = run_folder(run)
        while max((e.get("step", 0) for e in read_events(folder)[0]), default=0) < kill_at:
            time.sleep(0.005)
        pid = worker_pid(folder)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        seen = len(losses(folder))
        at_steps.append(seen)
        while worker_pid(folder) is not None:
            time.sleep(0.02)
        told = wait(resume(run)) if seen < STEPS else wait(run)
        same = losses(folder) == expected
        same = same and (folder / "delta.safetensors").read_bytes() == delta
        equal += same
        print(f"killed after step {seen}: {told['status']}, equal: {same}", flush=True)
    print(f"{equal} of {kills} resumed runs bitwise equal, losses and delta (killed at {at_steps})")


if __name__ == "__main__":
    main()
