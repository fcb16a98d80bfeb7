"""The verdict of a comparison, in words that say no more than the runs do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from qwen_ui.compare.comparison import Comparison
from qwen_ui.compare.paired import PairedDifference, paired_difference
from qwen_ui.compare.rows import Row, comparable, row_records, rows_of
from qwen_ui.compare.run_results import notes_of, results, searches_of
from qwen_ui.formats import signed


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """The comparison as the command `compare --json` prints it."""
    found = results(comparison)
    rows = rows_of(found)
    return {
        "comparison": comparison.name,
        "runs": found,
        "rows": row_records(rows),
        "rate_searches": search_records(comparison),
        "notes": notes_of(comparison),
        "verdict": verdict_sentence(rows),
        "paired": paired_record(rows),
    }


def search_records(comparison: Comparison) -> list[dict[str, Any]]:
    """The searches for rates as JSON: their fields, and the plan that each is for."""
    return [{"plan": plan, **asdict(search)} for plan, search in searches_of(comparison)]


def paired_record(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The paired difference as JSON; None where there is none yet."""
    found = paired_difference(rows)
    if found is None:
        return None
    several = len(found.seeds) > 1
    return {
        "lower": found.lower.plan,
        "higher": found.higher.plan,
        "seeds": list(found.seeds),
        "differences": list(found.differences),
        "mean": found.mean,
        "half_width": found.half_width if several else None,
        "decided": found.decided,
        "samples": found.samples,
        "over_samples": _finite(found.over_samples),
        "forgetting": _forgetting_record(found),
    }


def _forgetting_record(found: PairedDifference) -> dict[str, Any] | None:
    """By how much more the lower plan forgets; None where that was not measured."""
    more = found.forgetting
    if more is None:
        return None
    return {
        "differences": list(more.differences),
        "mean": more.mean,
        "half_width": more.half_width if len(found.seeds) > 1 else None,
        "decided": more.decided,
        "samples": more.samples,
        "over_samples": _finite(more.over_samples),
    }


def headline(rows: Sequence[Row]) -> str:
    """The verdict in a few words; "" where there is none yet."""
    if not comparable(rows):
        return "These runs cannot be compared"
    found = paired_difference(rows)
    if found is None:
        return ""
    lower, higher = found.lower.plan, found.higher.plan
    if len(found.seeds) < 2:
        return f"So far {lower} ends {found.mean:.2f} nats lower than {higher}, on one seed"
    more = found.forgetting
    forgets = f"{lower} forgets {_more(more.mean)}" if more and more.decided else ""
    if not found.decided:
        said = f"No difference shown between {lower} and {higher}"
        return f"{said} but that {forgets}" if forgets else said
    said = f"{lower} beats {higher} by {found.mean:.2f} nats"
    if not forgets:
        return said
    joined = "and" if more and more.mean < 0 else "but"
    return f"{said}, {joined} {forgets.removeprefix(lower).strip()}"


def verdict_sentence(rows: Sequence[Row]) -> str:
    """The plan that ends lowest against the next one, and whether the seeds tell them apart."""
    if len(rows) < 2:
        return "Nothing to compare yet: fewer than two plans have a completed run."
    if not comparable(rows):
        return (
            "These runs were judged by different held-out samples (former versions drew others for "
            "each seed), so their losses cannot be compared. Run the comparison again."
        )
    found = paired_difference(rows)
    if found is None:
        return "Nothing to compare yet: the plans have no completed seed in common."
    lower, higher = found.lower, found.higher
    times = lower.trainable / higher.trainable
    size = f"{times:,.0f} times" if times >= 2 else f"{times:.2g} times"
    said = (
        f"{lower.plan} ends at {_mean_loss(lower, found):.3f} nats per token, {higher.plan} at "
        f"{_mean_loss(higher, found):.3f}, with {size} the trainable parameters"
    )
    if found.forgetting is not None:
        said += f": it gains {_more(found.mean)} and forgets {_more(found.forgetting.mean)}"
    return f"{said}. {_certainty(found)}{_forgetting_certainty(found)}"


def _more(difference: float) -> str:
    """`0.10 more` or `0.10 less`, in nats."""
    return f"{abs(difference):.2f} {'less' if difference < 0 else 'more'}"


def _forgetting_certainty(found: PairedDifference) -> str:
    """How sure the difference in forgetting is; "" where it was not measured."""
    more = found.forgetting
    if more is None:
        return ""
    said = (
        " The difference in forgetting (the rise of the loss on the text to keep) is "
        f"{signed(more.mean)}"
    )
    if len(found.seeds) > 1:
        said += f" ± {more.half_width:.3f}"
    said += " nats"
    if more.samples > 1 and more.over_samples is not None:
        low, high = more.over_samples
        said += (
            f"; over the {more.samples:,} samples of that text it lies between {signed(low)} and "
            f"{signed(high)} (95 %, bootstrap)"
        )
    if len(found.seeds) > 1 and not more.decided:
        said += ": no difference shown"
    return f"{said}."


def _mean_loss(row: Row, found: PairedDifference) -> float:
    return sum(row.losses[seed] for seed in found.seeds) / len(found.seeds)


def _finite(interval: tuple[float, float] | None) -> list[float] | None:
    """As JSON, which has no infinity: one sample has no interval."""
    return list(interval) if interval and all(map(math.isfinite, interval)) else None


def _certainty(found: PairedDifference) -> str:
    samples = _sample_words(found)
    if len(found.seeds) < 2:
        return (
            f"So far, on one seed: the seed-to-seed variance is unknown, so this is no verdict. "
            f"{samples}Run more seeds."
        )
    said = (
        f"Over {len(found.seeds)} shared seeds the difference is {found.mean:.3f} ± "
        f"{found.half_width:.3f} nats (95 % interval, paired t). {samples}".rstrip()
    )
    if found.decided:
        return said
    if found.mean > found.half_width:
        return (
            f"{said} No difference shown: other held-out samples could reverse it. Hold out more "
            "samples."
        )
    agree = " All seeds agree, but they are too few." if found.agree else ""
    return f"{said} No difference shown.{agree} Run more seeds to tell them apart."


def _sample_words(found: PairedDifference) -> str:
    if found.over_samples is None:
        return ""
    if found.samples < 2:
        return "One held-out sample says nothing of others. "
    low, high = found.over_samples
    return (
        f"Over the {found.samples:,} held-out samples the difference lies between {low:.3f} and "
        f"{high:.3f} (95 %, bootstrap). "
    )
