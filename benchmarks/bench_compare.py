"""The one click of the Compare tab: seconds to the verdict, and both runs against Trainer.

Two figures. The click: attention-only against BitFit on the top 4 blocks of nano over two seeds,
each at a rate that short runs find, 60 steps of 8 x 128 tokens, from making the comparison to its
verdict, worker processes started and ended as the page does it. The ratio: the steps of one run of
each plan, beside those of two runs of `transformers.Trainer` with the same names frozen, on the
same data, batch and threads, all in this process, taking turns; the first pass over the data, in
which the prefix is computed, included. Then the same for the second seed, which meets the sequences
in another order.

    python -m benchmarks.bench_compare [--steps N] [--threads N] [--skip-click] [--skip-trainer]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from benchmarks.training import nano, trainer_seconds
from qwen_ui.compare import (
    read_comparison,
    results,
    rows_of,
    run_comparison,
    searches_of,
    verdict_sentence,
)
from qwen_ui.data import Examples, Order, load_examples
from qwen_ui.engine import set_up
from qwen_ui.freeze import apply, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.model.weights import load_tokenizer
from qwen_ui.paths import ASSETS
from qwen_ui.runs import make_spec
from qwen_ui.ui.compare.asking import CLASSIC, Asked, begin_comparison
from qwen_ui.ui.page import KJV, NONE, Session

TRAIN = str(ASSETS / "data" / "kjv-train.txt")


def click(steps: int) -> None:
    """Seconds from the click to the verdict; the second comparison must say the same."""
    losses = []
    for turn in ("first", "again"):
        begun = time.perf_counter()
        plans = [preset(name) for name in CLASSIC]
        name = begin_comparison(
            Session(), "nano", plans, Asked(KJV, None, "", NONE, None, steps, 2)
        )
        comparison = run_comparison(read_comparison(name))
        seconds = time.perf_counter() - begun
        found = results(comparison)
        losses.append([record["losses"] for record in found])
        training = sum(record["elapsed"] for record in found)
        searches = [search for _, search in searches_of(comparison)]
        rates = ", ".join(f"{search.rate:g}" for search in searches if search.rate is not None)
        print(
            f"click to verdict, {turn}: {seconds:.1f} s for 2 plans x 2 seeds, of which "
            f"{sum(search.seconds for search in searches):.1f} s finding the rates ({rates}) and "
            f"{training:.1f} s steps; {verdict_sentence(rows_of(found))}",
            flush=True,
        )
    print(f"reproduced: the losses of all steps are equal: {losses[0] == losses[1]}")


def against_trainer(steps: int, threads: int) -> None:
    """The sum of both plans' steps over that of two runs of Trainer, and of the click's four."""
    torch.set_num_threads(threads)
    folder = open_model("nano").weights_folder
    assert folder is not None
    loaded = load_examples(TRAIN, load_tokenizer(folder), 128)
    # Trainer's own collator cannot pad: the last, shorter sequence is left out for it.
    examples = Examples(tuple(item for item in loaded.items if len(item.tokens) == 128))
    ours = theirs = 0.0
    for seed in (0, 1):
        for name in CLASSIC:
            mine, hits = our_seconds(name, steps, threads, seed)
            model = nano()
            apply(resolve(preset(name), open_model(model)), model)
            with tempfile.TemporaryDirectory() as scratch:
                each = trainer_seconds(model, examples, 8, steps, scratch)
            # Its start and first step are left out, in its favour.
            other = sum(each) / len(each) * steps
            print(
                f"{name}, seed {seed}: ours {mine:.1f} s ({hits} of {8 * steps} sequences had "
                f"their prefix kept already), Trainer {other:.1f} s, {steps} steps of 8 x 128",
                flush=True,
            )
            ours, theirs = ours + mine, theirs + other
        what = "both plans" if seed == 0 else "both plans over two seeds, as the click runs them"
        print(f"{what}: {ours:.1f} s against {theirs:.1f} s: {ours / theirs:.2f} times", flush=True)


def our_seconds(name: str, steps: int, threads: int, seed: int) -> tuple[float, int]:
    """Seconds of all steps of this plan, and how many prefixes an earlier run had left behind."""
    plan = preset(name).to_dict()
    spec = make_spec(model="nano", plan=plan, data=TRAIN, steps=steps, threads=threads, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        run = set_up(spec, Path(folder))
    cache = run.loop.prefix_sources[0].cache
    order = Order(run.data.training, spec.optimization.batch_size, seed)
    assert cache is not None
    hits = sum(cache.holds(i) for step in range(steps) for i in order.batch(step))
    begun = time.perf_counter()
    for step in range(1, steps + 1):
        run.loop.step(step)
    return time.perf_counter() - begun, hits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--skip-click", action="store_true")
    parser.add_argument("--skip-trainer", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        if not options.skip_click:
            click(options.steps)
        if not options.skip_trainer:
            against_trainer(options.steps, options.threads)


if __name__ == "__main__":
    main()
