"""How near the best the suggested and the found learning rates come, on nano and SmolLM2-135M.

For every plan and number of steps the rates of a grid (three a decade) are tried on one seed, from
the same weights, until the best lies between two others. Then the plan is run at the suggested rate
and at the one that the finder finds on another seed. Every run is a line of docs/rates.jsonl as
soon as it ends, and a run that is there is not run again:

    python -m benchmarks.bench_rates                                   # fills in docs/rates.md
    python -m benchmarks.bench_rates --run [--model FOLDER] [--steps 40,200] [--plans "MLP;LoRA"]

FOLDER is what `python -m scripts.smol_model FOLDER` writes. Without `--run` nothing is run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from qwen_ui.engine import Prepared, set_up, suggest_learning_rate
from qwen_ui.engine.rate_finder import HIGHEST_RATE, best_rate, next_rate, trial_steps
from qwen_ui.engine.rate_trials import RateTrials
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from qwen_ui.runs import RunSpec, make_spec

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "rates.jsonl"
PAGE = RESULTS.with_suffix(".md")
SEED, FINDER_SEED = 100, 200
BATCH, LENGTH = 4, 64
SMOL = "SmolLM2-135M"
LORA_RANK = 8
PER_DECADE = 3
# Plan -> (preset, layers, LoRA rank, rate around which the sweep begins on nano, on SmolLM2).
KINDS: dict[str, tuple[str, str | None, int, float, float]] = {
    "attention": ("attention", "last:4", 0, 3e-2, 2e-3),
    "BitFit": ("bitfit", "last:4", 0, 1, 1e-1),
    "MLP": ("mlp", "last:4", 0, 1e-2, 1e-3),
    "norms": ("norms", "last:4", 0, 3e-1, 5e-2),
    "LoRA": ("attention", "last:4", LORA_RANK, 3e-2, 5e-3),
    "embeddings": ("embeddings", None, 0, 1e-2, 1e-3),
    "full": ("full", None, 0, 3e-3, 2e-4),
    "MLP, all": ("mlp", "all", 0, 3e-3, 5e-4),
    "norms, all": ("norms", "all", 0, 1e-1, 2e-2),
    "attention, all": ("attention", "all", 0, 1e-2, 1e-3),
    "BitFit, all": ("bitfit", "all", 0, 3e-1, 5e-2),
}
DATA = {"nano": ("kjv-train.txt", "kjv-eval.txt"), SMOL: ("kjv-chat.jsonl", None)}


@dataclass(frozen=True)
class Trial:
    """One run of a sweep; losses in nats per token, `after` None where it diverged."""

    model: str
    kind: str
    steps: int
    batch: int
    length: int
    rate: float
    before: float
    after: float | None
    seconds: float
    seed: int = SEED

    @property
    def gain(self) -> float:
        return -float("inf") if self.after is None else self.before - self.after


def grid(exponent: int) -> float:
    return float(f"{10 ** (exponent / PER_DECADE):.3g}")


def read_trials(file: Path = RESULTS) -> list[Trial]:
    lines = file.read_text().splitlines() if file.is_file() else []
    return [Trial(**json.loads(line)) for line in lines]


class Sweeper:
    """Runs of one plan on one model, each from the same weights."""

    def __init__(self, source: str, name: str, kind: str, batch: int, length: int) -> None:
        self.source, self.name, self.kind, self.batch, self.length = (
            *(source, name, kind, batch),
            length,
        )
        self.selection = resolve(plan_of(kind), open_model(source))
        self._prepared: Prepared | None = None
        self._trials: dict[int, RateTrials] = {}
        self.known = {
            (t.steps, t.rate, t.seed): t
            for t in read_trials()
            if (t.model, t.kind, t.batch, t.length) == (name, kind, batch, length)
        }

    def run(self, steps: int, rate: float, seed: int = SEED) -> Trial:
        """This run, from the file where it is there."""
        if (steps, rate, seed) in self.known:
            return self.known[steps, rate, seed]
        trials = self._trials_on(seed)
        began = time.process_time()
        after = trials.after(rate, steps)
        trial = Trial(
            self.name,
            self.kind,
            steps,
            self.batch,
            self.length,
            rate,
            trials.before,
            after,
            round(time.process_time() - began, 1),
            seed,
        )
        with RESULTS.open("a") as file:
            file.write(json.dumps(asdict(trial)) + "\n")
        print(json.dumps(asdict(trial)), flush=True)
        self.known[steps, rate, seed] = trial
        return trial

    def _trials_on(self, seed: int) -> RateTrials:
        if self._prepared is None:
            with tempfile.TemporaryDirectory() as folder:
                self._prepared = set_up(self._spec(), Path(folder))
        if seed not in self._trials:
            spec = self._prepared.spec.changed(seed=seed)
            self._trials[seed] = RateTrials(replace(self._prepared, spec=spec))
        return self._trials[seed]

    def _spec(self) -> RunSpec:
        train, held_out = DATA[self.name]
        data = ASSETS / "data"
        return make_spec(
            model=self.source,
            plan=self.selection.plan.to_dict(),
            data=str(data / train),
            eval_data=None if held_out is None else str(data / held_out),
            seed=SEED,
            batch_size=self.batch,
            sequence_length=self.length,
            learning_rate=1.0,
            steps=1000,
            threads=1,
            device="cpu",
            dtype="float32",
            lora_rank=KINDS[self.kind][2],
        )

    def suggested(self, steps: int) -> float:
        return suggest_learning_rate(
            self.selection, steps=steps, batch=self.batch, lora=KINDS[self.kind][2] > 0
        ).rate

    def found(self, steps: int, *, run: bool) -> float | None:
        """What the finder finds for so many steps; None where its runs are not in the file."""
        losses: dict[float, float | None] = {}
        count, before = trial_steps(steps), math.inf
        while (rate := next_rate(losses, self.suggested(steps))) is not None:
            if not run and (count, rate, FINDER_SEED) not in self.known:
                return None
            trial = self.run(count, rate, FINDER_SEED)
            losses[rate], before = trial.after, trial.before
        return best_rate(losses, before, steps)

    def sweep(self, steps: int) -> None:
        """Try the rates of the grid until the best lies between two others."""
        start = KINDS[self.kind][3 if self.name == "nano" else 4]
        centre = min(range(-18, 4), key=lambda i: abs(math.log(grid(i) / float(start))))
        done: dict[int, Trial] = {}
        while True:
            near = [i for i in (centre, centre - 1, centre + 1) if grid(i) <= HIGHEST_RATE]
            missing = [i for i in near if i not in done]
            if not missing:
                best = max(done, key=lambda i: done[i].gain)
                if best == centre:
                    return
                centre = best
            else:
                done[missing[0]] = self.run(steps, grid(missing[0]))


def plan_of(kind: str) -> FreezePlan:
    name, layers, *_ = KINDS[kind]
    return preset(str(name), layers)


def table(model: str, source: str, batch: int, length: int) -> str:
    """Markdown: how near the best of all that was tried the suggested and the found rate come."""
    lines = [
        "| plan | steps | best rate | gain there | suggested | its share | found | its share |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for kind in KINDS:
        sweeper = Sweeper(source, model, kind, batch, length)
        for steps in sorted({steps for steps, _, _ in sweeper.known}):
            on_seed = [t for t in sweeper.known.values() if (t.steps, t.seed) == (steps, SEED)]
            suggested = sweeper.known.get((steps, sweeper.suggested(steps), SEED))
            if not on_seed or suggested is None:
                continue
            best = max(on_seed, key=lambda t: t.gain)
            rate = sweeper.found(steps, run=False)
            found = None if rate is None else sweeper.known.get((steps, rate, SEED))
            cells = [kind, f"{steps:,}", f"{best.rate:g}", f"{best.gain:.3f}"]
            for trial in (suggested, found):
                cells += ["", ""] if trial is None else [f"{trial.rate:g}", share(trial, best)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def share(trial: Trial, best: Trial) -> str:
    return f"{trial.gain / best.gain:.2f}" if trial.after is not None else "diverged"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--steps", default="40")
    parser.add_argument("--plans", default=";".join(KINDS))
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--length", type=int, default=LENGTH)
    options = parser.parse_args()
    torch.set_num_threads(1)
    name = "nano" if options.model == "nano" else SMOL
    if options.run:
        for kind in options.plans.split(";"):
            sweeper = Sweeper(options.model, name, kind, options.batch, options.length)
            for steps in map(int, options.steps.split(",")):
                sweeper.sweep(steps)
                sweeper.run(steps, sweeper.suggested(steps))
                found = sweeper.found(steps, run=True)
                if found is not None:
                    sweeper.run(steps, found)
    put(name, table(name, options.model, options.batch, options.length))


def put(name: str, made: str) -> None:
    """Replace this model's table in the page."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, _, rest = page.partition(begin)
    assert rest, name
    after = rest[rest.index(end) :]
    PAGE.write_text(f"{before}{begin}{made}\n{after}", encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()
