"""The experiment of docs/attention-vs-bitfit.md on a real model, SmolLM2-135M, and chats.

Attention, BitFit, MLP, its gate and up projections, norms and LoRA over the top 2, 4 and 8 blocks;
each at the rate that the learning-rate finder finds on a seed of its own, then on three seeds: 40
steps of 4 sequences of up to 64 tokens, one thread. Every run is a line of
docs/attention-vs-bitfit-smollm2.jsonl as soon as it ends, and is not run again:

    python -m scripts.smol_model FOLDER
    python -m benchmarks.attention_vs_bitfit_real FOLDER [--run]

Without `--run` the table of the page is made from the lines.
"""

from __future__ import annotations

import argparse
import math
from itertools import product
from statistics import fmean, stdev

import torch

from benchmarks.attention_vs_bitfit import LORA_RANK, RESULTS
from benchmarks.bench_rates import put
from benchmarks.rate_runs import SMOL, Case, Runs, Trial
from qwen_ui.freeze import FreezePlan, Rule, preset

PAGE = RESULTS.with_suffix(".md")
LINES = RESULTS.with_name("attention-vs-bitfit-smollm2.jsonl")
STEPS, SEEDS = 40, (0, 1, 2)
T_975 = 4.303  # Student's t, 97.5 %, for the two degrees of freedom of three seeds
DEPTHS = (4, 2, 8)  # what is compared most goes first
KINDS = ("attention", "BitFit", "MLP", "gate and up", "norms", "LoRA")
PROJECTIONS = ("mlp.gate_proj.weight", "mlp.up_proj.weight")


def case_of(kind: str, depth: int) -> Case:
    layers, name = f"last:{depth}", f"{kind}, top {depth}"
    if kind == "gate and up":
        rule = Rule(layers=layers, kinds=PROJECTIONS)
        return Case(name, FreezePlan(name=name, rules=(rule,)))
    if kind == "LoRA":
        return Case(name, preset("attention", layers), LORA_RANK)
    return Case(name, preset(kind.lower(), layers))


def table(source: str) -> str:
    """Markdown: losses over the seeds, and by how much each plan ends above attention, paired."""
    lines = [
        "| plan | trainable | rate found | loss after | gain | above attention | CPU seconds |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for depth, kind in product(sorted(DEPTHS), KINDS):
        runs = Runs(source, SMOL, case_of(kind, depth), LINES)
        done = _by_seed(runs)
        if len(done) < len(SEEDS):
            continue
        after = [done[seed].after or math.nan for seed in SEEDS]
        attention = _by_seed(Runs(source, SMOL, case_of("attention", depth), LINES))
        above = [done[seed].gain - attention[seed].gain for seed in SEEDS]
        error = T_975 * stdev(above) / math.sqrt(len(above))
        lora = kind == "LoRA"
        cells = (
            runs.case.name,
            f"rank {LORA_RANK}" if lora else f"{runs.selection.trainable_parameters:,}",
            f"{done[0].rate:g}",
            f"{fmean(after):.3f} ± {stdev(after):.3f}",
            f"{fmean(t.gain for t in done.values()):.3f}",
            "" if kind == "attention" else f"{-fmean(above):+.3f} ± {error:.3f}",
            f"{fmean(t.seconds for t in done.values()):.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_seed(runs: Runs) -> dict[int, Trial]:
    """The runs at the rate that was found, by seed."""
    rate = runs.found(STEPS, run=False)
    return {
        seed: trial
        for (steps, at, seed), trial in runs.known.items()
        if steps == STEPS and at == rate and seed in SEEDS and trial.after is not None
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--run", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for depth, kind in product(DEPTHS, KINDS):
        if options.run:
            runs = Runs(options.model, SMOL, case_of(kind, depth), LINES)
            rate = runs.found(STEPS)
            for seed in SEEDS:
                if rate is not None:
                    runs.run(STEPS, rate, seed)
    put(PAGE, "smollm2", table(options.model))


if __name__ == "__main__":
    main()
