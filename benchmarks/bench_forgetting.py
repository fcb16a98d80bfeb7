"""What plans gain and what they forget, on nano: KJV is learned, held-out Austen is to be kept.

    python -m benchmarks.bench_forgetting [--steps 60] [--seeds 3]

Five plans, 60 steps of 4 x 64 tokens, each at a learning rate that short runs find on a seed of its
own. It prints a row a plan (mean and standard deviation over the seeds), the verdict on the two
that end lowest, how KL follows the loss's rise over all runs, and every run turned down. Then, for
attention on the last four blocks and for everything: the largest difference of both figures from a
plain computation in float64, what an untrained model has lost, and the seconds of measuring both
beside the loss alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import correlation, fmean, stdev
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from qwen_ui.compare import (
    DialRequest,
    make_comparison,
    parse_plans,
    results,
    rows_of,
    run_comparison,
    turn,
    verdict_sentence,
)
from qwen_ui.data import Batch, Examples, collate
from qwen_ui.engine import Prepared, set_up
from qwen_ui.engine.evaluation import EvaluationPass
from qwen_ui.freeze import FreezePlan, Rule, preset
from qwen_ui.model import open_model
from qwen_ui.model.weights import load_model
from qwen_ui.paths import ASSETS
from qwen_ui.runs import make_spec, run_folder

DATA = ASSETS / "data"
BATCH, LENGTH = 4, 64
GATE_AND_UP = FreezePlan(
    name="gate and up on last:4",
    rules=(Rule(layers="last:4", kinds=("mlp.gate_proj.*", "mlp.up_proj.*")),),
)
PLANS = (*parse_plans("attention,bitfit,mlp@last:4"), GATE_AND_UP)
WIDE = preset("attention", "all").model_copy(update={"name": "attention on all"})
SETTINGS: dict[str, Any] = {
    "data": str(DATA / "kjv-train.txt"),
    "eval_data": str(DATA / "kjv-eval.txt"),
    "keep": str(DATA / "austen-keep.txt"),
    "batch_size": BATCH,
    "sequence_length": LENGTH,
    "sample_tokens": 0,
    "device": "cpu",
}
TIMED = 5


def plans(steps: int, seeds: int) -> None:
    """The table of gain and forgetting."""
    comparison = make_comparison(
        "nano", [*PLANS, WIDE], seeds=range(seeds), steps=steps, **SETTINGS
    )
    found = results(run_comparison(comparison))
    print("| plan | rate | trainable | KJV from | to | Austen from | to | forgets | KL |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    rows = rows_of(found)
    for row in rows:
        runs = [record for record in found if record["plan"] == row.plan]
        cells = (
            row.plan,
            f"{row.learning_rate:.1e}",
            f"{row.trainable:,}",
            f"{row.before:.3f}",
            _spread([record["eval_loss_after"] for record in runs]),
            _spread([record["keep_loss_before"] for record in runs]),
            _spread([record["keep_loss_after"] for record in runs]),
            _spread(list(row.forgets.values())),
            _spread(list(row.kls.values())),
        )
        print(f"| {' | '.join(cells)} |")
    print(verdict_sentence(rows))
    risen = [value for row in rows for value in row.forgets.values()]
    divergences = [value for row in rows for value in row.kls.values()]
    print(f"KL follows the rise over {len(risen)} runs: r = {correlation(risen, divergences):.3f}")
    dials(found)


def dials(found: Sequence[Any]) -> None:
    """Every run turned down and up: gain and rise at some strengths, and what a point takes."""
    print("| plan | s = 0.25 | 0.5 | 0.75 | 1 | suggested | gain there, other half | a point |")
    print("|---|---|---|---|---|---|---|---:|")
    for plan in dict.fromkeys(record["plan"] for record in found):
        turned = [
            turn(run_folder(record["run"]), DialRequest())
            for record in found
            if record["plan"] == plan
        ]
        points = [{p["strength"]: p for p in one["points"]} for one in turned]
        cells = [
            f"{_spread([p[s]['gain'] for p in points])}, "
            f"{_spread([p[s]['forgetting'] for p in points])}"
            for s in (0.25, 0.5, 0.75, 1.0)
        ]
        told = [one["suggestion"]["told"]["gain"] for one in turned]
        seconds = fmean(
            (one["seconds"] - one["seconds_to_begin"]) / (len(one["points"]) + 1) for one in turned
        )
        suggested = ", ".join(f"{one['suggested']:g}" for one in turned)
        print(f"| {plan} | {' | '.join(cells)} | {suggested} | {_spread(told)} | {seconds:.2f} s |")


def exactness(plan: FreezePlan, steps: int) -> None:
    """Keep loss and KL against a plain computation in float64, and what measuring them takes."""
    spec = make_spec(model="nano", plan=plan.to_dict(), steps=steps, threads=1, **SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        run = set_up(spec, Path(folder))
    keep, examples = run.loop.keep, run.data.keep
    assert keep is not None
    assert examples is not None
    keep.record_baseline()
    untrained = keep.evaluate()
    for step in range(1, steps + 1):
        run.loop.step(step)
    found = keep.evaluate()
    loss, divergence = _plainly(run, examples)
    tokens = sum(found.tokens)
    print(
        f"{plan.name or 'everything'}, {tokens:,} tokens after {steps} steps: loss {found.loss:.6f}"
        f" (off by {found.loss - loss:+.1e}), KL {found.divergence:.6f} (off by "
        f"{found.divergence - divergence:+.1e}); untrained: rise {untrained.forgetting}, KL "
        f"{untrained.divergence}; {_timed(keep.evaluate):.2f} s against "
        f"{_timed(lambda: _losses_alone(run, examples)):.2f} s for the loss alone"
    )


def _plainly(run: Prepared, examples: Examples) -> tuple[float, float]:
    """(loss, KL) per token, by transformers' own logits in float64."""
    anatomy = open_model("nano")
    base = load_model(run.base.folder, anatomy, torch.float32, torch.device("cpu"))
    tuned = load_model(run.base.folder, anatomy, torch.float32, torch.device("cpu"))
    tuned.load_state_dict(run.model.state_dict())
    base, tuned = base.double().eval(), tuned.double().eval()
    loss = divergence = 0.0
    count = 0
    for index in range(len(examples.items)):
        batch = collate(examples, (index,), 0)
        with torch.no_grad():
            base_NV, tuned_NV = (_log_likelihoods(model, batch) for model in (base, tuned))
        loss -= float(tuned_NV.gather(1, batch.targets[:, None]).sum())
        divergence += float((base_NV.exp() * (base_NV - tuned_NV)).sum())
        count += len(batch.targets)
    return loss / count, divergence / count


def _log_likelihoods(model: Any, batch: Batch) -> torch.Tensor:
    logits: torch.Tensor = model(**batch.inputs).logits
    return logits.flatten(0, 1)[batch.rows].log_softmax(-1)


def _losses_alone(run: Prepared, examples: Examples) -> None:
    """As the held-out samples are evaluated."""
    loop = run.loop
    source, collated = loop.prefix_sources[2], loop.collated
    EvaluationPass(loop.trainee, examples, source, collated, loop.group).losses(BATCH)


def _timed(work: Any) -> float:
    """The fastest of some times (seconds)."""
    taken = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--skip-plans", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        if not options.skip_plans:
            plans(options.steps, options.seeds)
        exactness(preset("attention"), min(options.steps, 20))
        exactness(preset("full"), min(options.steps, 20))


if __name__ == "__main__":
    main()
