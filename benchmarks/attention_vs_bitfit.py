"""The experiment behind docs/attention-vs-bitfit.md: which parameters of the nano twin to train?

Five kinds of plan (attention, BitFit, MLP, norms, whole blocks), and LoRA on the attention
projections as a reference, over the top 1, 2, 4, 8 and 28
blocks, and attention on four blocks elsewhere, those of every score of `rank` among them; three
seeds; each plan at the best of the learning rates tried for it on a seed of its own. All runs use
the training engine in this process, on one thread, and the shipped King James data.

Each run is written to docs/attention-vs-bitfit.json as it ends, and a run that is there is not run
again, so the experiment can be cut off and started again at any time:

    python -m benchmarks.attention_vs_bitfit [--minutes M]
    python -m benchmarks.attention_vs_bitfit_figures      # draws docs/figures/*.svg, prints tables
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from qwen_ui.engine import set_up
from qwen_ui.files import replace_text
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from qwen_ui.rank import METHODS, rank_all
from qwen_ui.runs import make_spec

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "attention-vs-bitfit.json"
TRAIN, HELD_OUT = (str(ASSETS / "data" / f"kjv-{part}.txt") for part in ("train", "eval"))
STEPS, BATCH, LENGTH = 60, 4, 64
SWEEP_STEPS, SWEEP_SEED, SEEDS = 30, 100, (0, 1, 2)
DEPTHS = (1, 2, 4, 8, 28)
SWEPT_DEPTH = 4
ELSEWHERE = ("first:4", "12-15")
# The two plans of the one click at the size that the issue of this project names.
LONG = {"steps": 150, "batch_size": 8, "sequence_length": 128}
# Three neighbours on a grid of half decades; one more is tried where the best lies at an end.
GRID = tuple(10.0 ** (-4.5 + 0.5 * i) for i in range(10))
FIRST_RATES = {"attention": 3, "bitfit": 5, "mlp": 3, "norms": 5, "full": 2, "lora": 5}
LORA_RANK = 8


@dataclass(frozen=True)
class Case:
    """A preset, or "lora", on some blocks. `layers` is a layer expression."""

    kind: str
    layers: str

    @property
    def name(self) -> str:
        return f"{self.kind} {self.layers}"


class TimeUpError(Exception):
    """The minutes that this call was given are over."""


class Notebook:
    """The results file: runs by key, and the scores of every ranking."""

    def __init__(self, file: Path, minutes: float) -> None:
        self._file, self._deadline = file, time.monotonic() + 60 * minutes
        held = json.loads(file.read_text()) if file.is_file() else {}
        self.runs: dict[str, Any] = held.get("runs", {})
        self.rankings: dict[str, Any] = held.get("rankings", {})

    def save(self) -> None:
        text = json.dumps({"runs": self.runs, "rankings": self.rankings}, indent=0)
        replace_text(self._file, text + "\n")

    def run(self, case: Case, seed: int, rate: float, **sizes: int) -> float:
        """The evaluation loss after this run, from the file where it is there."""
        sizes = {"steps": STEPS, "batch_size": BATCH, "sequence_length": LENGTH, **sizes}
        size = "x".join(str(sizes[k]) for k in ("steps", "batch_size", "sequence_length"))
        key = f"{case.name} | seed {seed} | rate {rate:.3g} | {size}"
        if key not in self.runs:
            if time.monotonic() > self._deadline:
                raise TimeUpError
            self.runs[key] = train(case, seed, rate, sizes)
            self.save()
            print(f"{key}: {self.runs[key]['after']:.4f}", flush=True)
        return float(self.runs[key]["after"])

    def ranking(self, method: str) -> str:
        """The top four blocks by this score of their attention tensors, as a layer expression."""
        if method not in self.rankings:
            anatomy = open_model("nano")
            kinds = {p.kind for p in resolve(preset("attention"), anatomy).parameters}
            found = rank_all("nano", TRAIN)
            for name, ranking in found.items():
                blocks = ranking.of_kinds(kinds).scores.blocks
                self.rankings[name] = [float(f"{score:.6g}") for score in blocks]
            self.save()
        scores = self.rankings[method]
        top = sorted(range(len(scores)), key=lambda i: (scores[i], i), reverse=True)[:4]
        return ",".join(map(str, sorted(top)))


def train(case: Case, seed: int, rate: float, sizes: dict[str, int]) -> dict[str, Any]:
    """One run. Losses are in nats a token; CPU seconds are of the steps alone."""
    whole = case == Case("full", f"last:{DEPTHS[-1]}")
    lora = case.kind == "lora"
    plan = preset("attention" if lora else case.kind, None if whole else case.layers)
    spec = make_spec(
        model="nano",
        plan=plan.to_dict(),
        data=TRAIN,
        eval_data=HELD_OUT,
        seed=seed,
        learning_rate=rate,
        threads=1,
        device="cpu",
        dtype="float32",
        lora_rank=LORA_RANK if lora else 0,
        **sizes,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = set_up(spec, Path(folder))
        began = time.process_time()
        losses = [run.loop.step(step).loss for step in range(1, spec.optimization.steps + 1)]
        seconds = time.process_time() - began
        after = run.loop.evaluate().loss
    return {
        "kind": case.kind,
        "layers": case.layers,
        "seed": seed,
        "rate": rate,
        **sizes,
        "trainable": run.loop.optimizer.elements,
        "total": run.base.selection.total_parameters,
        "prefix_blocks": run.loop.trainee.prefix_blocks,
        "after": after,
        "losses": [round(loss, 4) for loss in losses],
        "cpu_seconds": round(seconds, 2),
    }


def best_rate(book: Notebook, case: Case) -> float:
    """The rate with the lowest evaluation loss after `SWEEP_STEPS` steps on the sweep's seed.

    Over many blocks runs are long here, so there the best rate of the next smaller plan is tried,
    and the next lower one, which more parameters may want.
    """
    depth = int(case.layers.removeprefix("last:"))
    deep = depth > SWEPT_DEPTH
    if deep:
        smaller = DEPTHS[DEPTHS.index(depth) - 1]
        middle = GRID.index(best_rate(book, Case(case.kind, f"last:{smaller}")))
    else:
        middle = FIRST_RATES[case.kind]
    first = (middle - 1, middle) if deep else (middle - 1, middle, middle + 1)
    tried = {i: book.run(case, SWEEP_SEED, GRID[i], steps=SWEEP_STEPS) for i in first}
    while True:
        best = min(tried, key=lambda i: tried[i])
        missing = [i for i in (best - 1, best + 1) if 0 <= i < len(GRID) and i not in tried]
        if deep or not missing:
            return GRID[best]
        tried[missing[0]] = book.run(case, SWEEP_SEED, GRID[missing[0]], steps=SWEEP_STEPS)


def everything(book: Notebook) -> None:
    """All pieces of work, what is quick first, so that it can be read before it is finished."""
    cases = [Case(kind, f"last:{depth}") for depth in DEPTHS for kind in FIRST_RATES]
    quick = [case for case in cases if case.layers != f"last:{DEPTHS[-1]}"]
    attention = best_rate(book, Case("attention", "last:4"))
    for seed in SEEDS:
        for case in quick:
            book.run(case, seed, best_rate(book, case))
        for layers in (*(book.ranking(method) for method in METHODS), *ELSEWHERE):
            # The same plan on other blocks, at the same rate.
            book.run(Case("attention", layers), seed, attention)
    for seed in SEEDS:
        for kind in ("attention", "bitfit"):
            case = Case(kind, "last:4")
            book.run(case, seed, best_rate(book, case), **LONG)
    for seed in SEEDS:
        for case in cases:
            book.run(case, seed, best_rate(book, case))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=float("inf"))
    torch.set_num_threads(1)
    try:
        everything(Notebook(RESULTS, parser.parse_args().minutes))
    except TimeUpError:
        print("Time is up; start again to go on.")
    else:
        print("Done.")


if __name__ == "__main__":
    main()
