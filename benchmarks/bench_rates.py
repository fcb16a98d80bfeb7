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
import math
from pathlib import Path

import torch

from benchmarks.rate_runs import BATCH, LENGTH, SEED, SMOL, SMOL_TEXT, Case, Runs, Trial
from qwen_ui.engine.rate_finder import HIGHEST_RATE
from qwen_ui.freeze import preset

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "rates.jsonl"
PAGE = RESULTS.with_suffix(".md")
LORA_RANK = 8
PER_DECADE = 3
CASES = (
    Case("attention", preset("attention")),
    Case("BitFit", preset("bitfit")),
    Case("MLP", preset("mlp", "last:4")),
    Case("norms", preset("norms", "last:4")),
    Case("LoRA", preset("attention"), LORA_RANK),
    Case("embeddings", preset("embeddings")),
    Case("full", preset("full")),
    Case("attention, all", preset("attention", "all")),
    Case("MLP, all", preset("mlp", "all")),
    Case("norms, all", preset("norms", "all")),
)


def grid(exponent: int) -> float:
    return float(f"{10 ** (exponent / PER_DECADE):.3g}")


def sweep(runs: Runs, steps: int) -> None:
    """Try the rates of the grid until the best lies between two others."""
    first = runs.suggested(steps)
    centre = min(range(-18, 4), key=lambda i: abs(math.log(grid(i) / first)))
    done: dict[int, Trial] = {}
    while True:
        near = [i for i in (centre, centre - 1, centre + 1) if grid(i) <= HIGHEST_RATE]
        missing = [i for i in near if i not in done]
        if missing:
            done[missing[0]] = runs.run(steps, grid(missing[0]))
            continue
        best = max(done, key=lambda i: done[i].gain)
        if best == centre:
            return
        centre = best


def table(source: str, model: str, batch: int, length: int) -> str:
    """Markdown: how near the best of all that was tried the suggested and the found rate come."""
    lines = [
        "| plan | steps | best rate | gain there | suggested | its share | found | its share |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for case in CASES:
        runs = Runs(source, model, case, RESULTS, batch, length)
        for steps in sorted({steps for steps, _, _ in runs.known}):
            tried = [t for t in runs.known.values() if (t.steps, t.seed) == (steps, SEED)]
            suggested = runs.known.get((steps, runs.suggested(steps), SEED))
            if suggested is None:
                continue
            best = max(tried, key=lambda t: t.gain)
            rate = runs.found(steps, run=False)
            found = None if rate is None else runs.known.get((steps, rate, SEED))
            cells = [case.name, f"{steps:,}", f"{best.rate:g}", f"{best.gain:.3f}"]
            for trial in (suggested, found):
                cells += ["", ""] if trial is None else [f"{trial.rate:g}", share(trial, best)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def share(trial: Trial, best: Trial) -> str:
    return f"{trial.gain / best.gain:.2f}" if trial.after is not None else "diverged"


def put(page: Path, name: str, made: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end -->`, where the page has them."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, _, rest = text.partition(begin)
    if rest:
        after = rest[rest.index(end) :]
        page.write_text(f"{before}{begin}{made}\n{after}", encoding="utf-8")
    print(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--text", action="store_true", help="FOLDER on text instead of chats")
    parser.add_argument("--steps", default="40")
    parser.add_argument("--plans", default=";".join(case.name for case in CASES))
    parser.add_argument(
        "--without-finder", action="store_true", help="only the sweep and the suggested rate"
    )
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--length", type=int, default=LENGTH)
    options = parser.parse_args()
    torch.set_num_threads(1)
    smol = SMOL_TEXT if options.text else SMOL
    model = "nano" if options.model == "nano" else smol
    plans = options.plans.split(";")
    for case in CASES:
        if not options.run or case.name not in plans:
            continue
        runs = Runs(options.model, model, case, RESULTS, options.batch, options.length)
        for steps in map(int, options.steps.split(",")):
            sweep(runs, steps)
            runs.run(steps, runs.suggested(steps))
            found = runs.found(steps, run=not options.without_finder)
            if found is not None:
                runs.run(steps, found)
    made = table(options.model, model, options.batch, options.length)
    sizes = (options.batch, options.length)
    put(PAGE, model if sizes == (BATCH, LENGTH) else f"{model}, {sizes[0]} x {sizes[1]}", made)


if __name__ == "__main__":
    main()
