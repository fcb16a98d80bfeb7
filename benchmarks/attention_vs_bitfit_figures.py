"""Draws docs/figures/*.svg from docs/attention-vs-bitfit.json and puts its tables into the page.

The tables stand in docs/attention-vs-bitfit.md between `<!-- name -->` and `<!-- end -->`; the rest
of the page is written by hand and left as it is.

    python -m benchmarks.attention_vs_bitfit_figures
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import Any

from benchmarks.attention_vs_bitfit import (
    BATCH,
    DEPTHS,
    FIRST_RATES,
    LENGTH,
    LONG,
    RESULTS,
    STEPS,
    SWEEP_SEED,
    SWEEP_STEPS,
)
from qwen_ui.markup import Series, chart
from qwen_ui.rank import rank_correlation
from qwen_ui.ui.page import SERIES_COLOURS

Run = dict[str, Any]
PAGE = RESULTS.with_suffix(".md")
FIGURES = RESULTS.parent / "figures"
COLOUR = dict(zip(FIRST_RATES, SERIES_COLOURS, strict=False))
WORD = {
    "attention": "attention",
    "bitfit": "BitFit",
    "mlp": "MLP",
    "norms": "norms",
    "full": "whole blocks",
    "lora": "LoRA",
}
TOP = 4


def main() -> None:
    held = json.loads(RESULTS.read_text(encoding="utf-8"))
    runs: list[Run] = list(held["runs"].values())
    FIGURES.mkdir(exist_ok=True)
    sweep = [run for run in runs if run["seed"] == SWEEP_SEED and run["steps"] == SWEEP_STEPS]
    size = (STEPS, BATCH, LENGTH)
    final = [run for run in runs if run["seed"] != SWEEP_SEED and _size(run) == size]
    long = [run for run in runs if run["seed"] != SWEEP_SEED and _size(run) == _size(LONG)]
    page = PAGE.read_text(encoding="utf-8")
    for name, table in {
        "by depth": by_depth(final),
        "by rank": by_rank(final, held["rankings"]),
        "agreement": agreement_table(held["rankings"]),
        "rates": rates_table(sweep),
        "long": long_table(long),
    }.items():
        page = _put(page, name, table)
        print(f"{name}\n{table}\n")
    PAGE.write_text(page, encoding="utf-8")
    draw("loss-by-depth", depth_chart(final))
    draw("pareto", pareto_chart(final))
    draw("rates", rate_chart(sweep))


def _size(run: Run) -> tuple[int, ...]:
    return tuple(run[key] for key in ("steps", "batch_size", "sequence_length"))


def draw(name: str, svg: str) -> None:
    (FIGURES / f"attention-vs-bitfit-{name}.svg").write_text(svg + "\n", encoding="utf-8")


def _put(page: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name} -->", "<!-- end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert pattern.search(page), name
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", page)


def grouped(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run["kind"], run["layers"]].append(run)
    return groups


def mean_and_spread(runs: Sequence[Run]) -> tuple[float, float]:
    after = [run["after"] for run in runs]
    return fmean(after), stdev(after) if len(after) > 1 else 0.0


def loss_text(runs: Sequence[Run]) -> str:
    """Mean and standard deviation, and how many seeds there are where it is one."""
    mean, spread = mean_and_spread(runs)
    return f"{mean:.3f} ± {spread:.3f}" if len(runs) > 1 else f"{mean:.3f} (one seed)"


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def by_depth(final: Sequence[Run]) -> str:
    groups = grouped(final)
    rows = []
    for depth in DEPTHS:
        for kind in FIRST_RATES:
            runs = groups.get((kind, f"last:{depth}"))
            if not runs:
                continue
            first = runs[0]
            rows.append(
                (
                    f"{WORD[kind]}, top {depth}",
                    f"{first['trainable']:,}",
                    f"{100 * first['trainable'] / first['total']:.3g} %",
                    f"{first['rate']:.2g}",
                    loss_text(runs),
                    str(len(runs)),
                    f"{fmean(run['cpu_seconds'] for run in runs):.0f}",
                )
            )
    return table_of(
        ("plan", "trainable", "share", "rate", "loss after", "seeds", "CPU seconds"), rows
    )


def by_rank(final: Sequence[Run], rankings: dict[str, list[float]]) -> str:
    chosen: dict[str, list[str]] = defaultdict(list)
    for layers, name in (("last:4", "index, from the top"), ("first:4", "index, from the bottom")):
        chosen[layers].append(name)
    chosen["12-15"].append("index, the middle")
    for method, scores in rankings.items():
        chosen[layers_of(scores)].append(method)
    groups = grouped(run for run in final if run["kind"] == "attention")
    found = [
        (layers, names) for layers, names in chosen.items() if groups.get(("attention", layers))
    ]
    found.sort(key=lambda pair: mean_and_spread(groups["attention", pair[0]])[0])
    return table_of(
        ("chosen by", "blocks", "loss after", "seeds", "prefix blocks"),
        (
            (
                ", ".join(names),
                layers,
                loss_text(groups["attention", layers]),
                str(len(groups["attention", layers])),
                str(groups["attention", layers][0]["prefix_blocks"]),
            )
            for layers, names in found
        ),
    )


def layers_of(scores: Sequence[float]) -> str:
    top = sorted(range(len(scores)), key=lambda i: (scores[i], i), reverse=True)[:TOP]
    return ",".join(map(str, sorted(top)))


def agreement_table(rankings: dict[str, list[float]]) -> str:
    def row(name: str) -> tuple[str, ...]:
        others = (
            "" if other == name else f"{rank_correlation(rankings[name], rankings[other]):.2f}"
            for other in rankings
        )
        return (name, *others)

    if not rankings:
        return "Not run yet."
    return table_of(("", *rankings), map(row, rankings))


def rates_table(sweep: Sequence[Run]) -> str:
    rates = sorted({run["rate"] for run in sweep})
    rows = []
    for (kind, layers), runs in grouped(sweep).items():
        after = {run["rate"]: run["after"] for run in runs}
        best = min(after, key=lambda rate: after[rate])
        cells = (
            (f"**{after[r]:.2f}**" if r == best else f"{after[r]:.2f}") if r in after else ""
            for r in rates
        )
        rows.append((f"{WORD[kind]}, top {layers.removeprefix('last:')}", *cells))
    return table_of(("plan", *(f"{rate:.2g}" for rate in rates)), rows)


def long_table(long: Sequence[Run]) -> str:
    rows = [
        (f"{WORD[kind]}, {layers}", f"{runs[0]['rate']:.2g}", loss_text(runs), str(len(runs)))
        for (kind, layers), runs in grouped(long).items()
    ]
    if not rows:
        return "Not run yet."
    return table_of(("plan", "rate", "loss after", "seeds"), rows)


def depth_chart(final: Sequence[Run]) -> str:
    groups = grouped(final)
    series = []
    for kind in FIRST_RATES:
        found = [(d, groups[kind, f"last:{d}"]) for d in DEPTHS if (kind, f"last:{d}") in groups]
        pairs = [mean_and_spread(runs) for _, runs in found]
        series.append(
            Series(
                WORD[kind],
                [depth for depth, _ in found],
                [mean for mean, _ in pairs],
                COLOUR[kind],
                errors=[spread for _, spread in pairs],
            )
        )
    return chart(
        "Held-out loss by how many of the top blocks train (bars: deviation over seeds)",
        series,
        x_title="blocks from the top (log scale)",
        y_title="nats per token",
        log_x=True,
    )


def pareto_chart(final: Sequence[Run]) -> str:
    groups = grouped(final)
    series = []
    for kind in FIRST_RATES:
        found = [groups[kind, f"last:{d}"] for d in DEPTHS if (kind, f"last:{d}") in groups]
        series.append(
            Series(
                WORD[kind],
                [runs[0]["trainable"] for runs in found],
                [mean_and_spread(runs)[0] for runs in found],
                COLOUR[kind],
            )
        )
    return chart(
        "Held-out loss by trainable parameters (one point per depth: top 1, 2, 4, 8, 28)",
        series,
        x_title="trainable parameters",
        y_title="nats per token",
        log_x=True,
    )


def rate_chart(sweep: Sequence[Run]) -> str:
    series = []
    for kind in FIRST_RATES:
        runs = sorted(grouped(sweep).get((kind, "last:4"), []), key=lambda run: run["rate"])
        rates, after = [run["rate"] for run in runs], [run["after"] for run in runs]
        series.append(Series(WORD[kind], rates, after, COLOUR[kind]))
    return chart(
        f"Held-out loss after {SWEEP_STEPS} steps by learning rate, top 4 blocks",
        series,
        x_title="learning rate",
        y_title="nats per token",
        log_x=True,
    )


if __name__ == "__main__":
    main()
