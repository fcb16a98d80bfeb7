"""A comparison as text: what was compared, the verdict, the table, the samples (Markdown)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwen_ui.compare.comparison import Comparison
from qwen_ui.compare.rows import Row, rows_of
from qwen_ui.compare.run_results import notes_of, results
from qwen_ui.compare.verdict import headline, verdict_sentence
from qwen_ui.formats import percent, rate_text, short_bytes, signed

_COLUMNS = (
    "plan",
    "trainable",
    "share",
    "rate",
    "loss before",
    "loss after",
    "perplexity",
    "seconds",
    "rate found in",
    "tokens/s",
    "peak memory",
    "delta",
    "nats per million",
    "nats per second",
)
_KEPT_COLUMNS = ("forgets", "KL, text to keep")
# Where they stand: behind the perplexity.
_KEPT_AT = 7


def setup_of(comparison: Comparison) -> str:
    """What all runs share, in a sentence."""
    spec = comparison.entries[0].spec
    seeds = ", ".join(dict.fromkeys(str(entry.seed) for entry in comparison.entries))
    data, optimization = spec.data, spec.optimization
    measured = (
        f"measured on {Path(data.eval_data).name}"
        if data.eval_data
        else "measured on a held-out part"
    )
    found = ", found by short runs on a seed of its own" if comparison.searches else ""
    kept = f"; forgetting is measured on {Path(data.keep).name}" if data.keep else ""
    return (
        f"{len(comparison.labels)} plans on {spec.model.source}: trained on "
        f"{Path(data.source).name} and {measured}, {optimization.steps:,} steps of "
        f"{optimization.batch_size} × {data.sequence_length} tokens, "
        f"{'seeds' if ',' in seeds else 'seed'} {seeds}; each plan at its own "
        f"learning rate{found}{kept}."
    )


def samples_of(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first and the last continuation of every plan, of its first run alone."""
    shown, seen = [], set()
    for record in found:
        samples = record["samples"]
        if record["plan"] in seen or len(samples) < 2:
            continue
        seen.add(record["plan"])
        prompt = samples[0]["prompt"]
        same = [sample for sample in samples if sample["prompt"] == prompt]
        texts = {"before": same[0]["text"], "after": same[-1]["text"]}
        shown.append({"plan": record["plan"], "prompt": prompt, **texts})
    return shown


def table_of(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(heads, cells of each row): what was lost of a text to keep only where one was measured."""
    kept = any(row.forgetting is not None for row in rows)
    heads: tuple[str, ...] = _COLUMNS
    cells = [_cells(row) for row in rows]
    if kept:
        heads = (*heads[:_KEPT_AT], *_KEPT_COLUMNS, *heads[_KEPT_AT:])
        cells = [
            (*line[:_KEPT_AT], *_kept_cells(row), *line[_KEPT_AT:])
            for row, line in zip(rows, cells, strict=True)
        ]
    return heads, cells


def _kept_cells(row: Row) -> tuple[str, ...]:
    if row.forgetting is None or row.kl is None:
        return ("", "")
    spread = f" ± {row.forgetting_spread:.3f}" if row.runs > 1 else ""
    return (f"{signed(row.forgetting)}{spread}", f"{row.kl:.3f}")


def _cells(row: Row) -> tuple[str, ...]:
    """A row's figures as texts, in the order of `_COLUMNS`."""
    spread = f" ± {row.spread:.3f}" if row.runs > 1 else ""
    return (
        row.plan,
        f"{row.trainable:,}",
        percent(row.share),
        rate_text(row.learning_rate),
        f"{row.before:.3f}",
        f"{row.after:.3f}{spread}",
        f"{row.perplexity:,.1f}",
        f"{row.seconds:.1f}",
        f"{row.rate_seconds:.1f} s" if row.rate_seconds else "",
        f"{row.tokens_per_second:,.0f}",
        short_bytes(row.peak_bytes),
        short_bytes(row.delta_bytes),
        f"{row.gain_per_million:.3g}",
        f"{row.gain_per_second:.3g}",
    )


def legend_of(rows: Sequence[Row]) -> str:
    """What the figures mean, and where the learning rates come from."""
    kept = ""
    if any(row.forgetting is not None for row in rows):
        kept = (
            " Forgets: by how much the loss on the text to keep rose; KL: of the tuned model from "
            "the base, per token of that text."
        )
    return (
        "Losses in nats per token, over all held-out tokens; ± is the standard deviation over the "
        f"seeds.{kept} Learning rates: {'; '.join(_rate_notes(rows))}."
    )


def _rate_notes(rows: Sequence[Row]) -> list[str]:
    """The learning rates, by where they come from."""
    by_source: dict[str, list[str]] = {}
    for row in rows:
        said = f"{row.plan} {rate_text(row.learning_rate)}"
        by_source.setdefault(row.rate_source, []).append(said)
    return [f"{', '.join(said)} ({source})" for source, said in by_source.items()]


def markdown_report(comparison: Comparison, picture: str = "") -> str:
    """The whole comparison.

    Args:
        picture: Markdown of the drawings, put after the table.
    """
    found = results(comparison)
    rows = rows_of(found)
    heads, cells_of_rows = table_of(rows)
    table = [heads, ("---", *["--:"] * (len(heads) - 1)), *cells_of_rows]
    lines = [
        f"# {' vs '.join(comparison.labels)}",
        "",
        *([f"**{headline(rows)}**", ""] if headline(rows) else []),
        verdict_sentence(rows),
        "",
        setup_of(comparison),
        "",
        *(f"| {' | '.join(map(_cell, cells))} |" for cells in table),
        "",
        legend_of(rows),
        "",
    ]
    if picture:
        lines += [picture, ""]
    for sample in samples_of(found):
        lines += [f"## {sample['plan']}", ""]
        for when in ("before", "after"):
            lines += [f"{when}:", "", *_quoted(sample["prompt"] + sample[when]), ""]
    if notes := notes_of(comparison):
        lines += [
            "## Notes of the runs",
            "",
            *(f"- {' '.join(note.split())}" for note in notes),
            "",
        ]
    not_done = [r for r in found if r["status"] != "completed"]
    lines += [f"- {r['plan']}, seed {r['seed']}: {r['status']}. {r['reason']}" for r in not_done]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _quoted(text: str) -> list[str]:
    """A block of code: what a model wrote is shown and never read as Markdown."""
    return [f"    {line}" for line in text.splitlines() or [""]]
