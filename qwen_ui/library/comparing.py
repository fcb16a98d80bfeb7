"""Comparing plans from a program, and a comparison as a value that can be watched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwen_ui import workers
from qwen_ui.compare import (
    Comparison,
    Row,
    comparison_record,
    latest_comparison,
    make_comparison,
    notes_of,
    read_comparison,
    results,
    rows_of,
    run_comparison,
    start_runs,
    stop_runs,
    verdict_sentence,
)
from qwen_ui.errors import RunError
from qwen_ui.formats import rate_text
from qwen_ui.library.plans import AnyPlan, as_contender
from qwen_ui.library.runs import OnEvent, Run, loss_chart
from qwen_ui.markup import table, view
from qwen_ui.model import Anatomy
from qwen_ui.runs import run_folder, status_of


class ComparedPlans:
    """A comparison, by its name. What it is asked for is read from its runs at that moment.

    Raises:
        RunError: there is no such comparison.
    """

    def __init__(self, name: str) -> None:
        read_comparison(name)
        self.name = name

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that are compared, as far as they were started."""
        return tuple(map(Run, self._read().runs))

    @property
    def over(self) -> bool:
        """Whether none of its runs trains any more."""
        found = self._read()
        started = len(found.all_runs) == len(found.entries) + len(found.searches)
        return started and all(status_of(run_folder(run)).over for run in found.all_runs)

    @property
    def rows(self) -> tuple[Row, ...]:
        """A row for each plan that has a completed run, its seeds together."""
        return tuple(rows_of(results(self._read())))

    @property
    def verdict(self) -> str:
        """Which plan ends lowest, and whether the seeds tell them apart, in a sentence or two."""
        return verdict_sentence(self.rows)

    def record(self) -> dict[str, Any]:
        """All figures, as the command `compare --json` prints them."""
        return comparison_record(self._read())

    def wait(self, on_event: OnEvent | None = None) -> ComparedPlans:
        """Return when all runs are over; those that were cut off are resumed first.

        Raises:
            RunError: a run failed; the message says why.
        """
        run_comparison(self._read(), on_event)
        for run in results(self._read()):
            if run["status"] in {"failed", "interrupted"}:
                raise RunError(f"The run '{run['run']}' {run['status']}. {run['reason']}")
        return self

    def stop(self) -> None:
        """Ask all its runs to save what they have and stop."""
        stop_runs(self._read())

    def _read(self) -> Comparison:
        return read_comparison(self.name)

    def __repr__(self) -> str:
        return f"ComparedPlans({self.name!r}, {' vs '.join(self._read().labels)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComparedPlans) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def _repr_html_(self) -> str:
        """How it shows itself in a notebook: the verdict, the losses by step, a row per plan."""
        found = self._read()
        rows = [
            (
                row.plan,
                f"{row.trainable:,}",
                rate_text(row.learning_rate),
                f"{row.before:.3f}",
                f"{row.after:.3f}" + (f" ± {row.spread:.3f}" if row.runs > 1 else ""),
                f"{row.seconds:.1f}",
            )
            for row in self.rows
        ]
        heads = ("plan", "trainable", "learning rate", "before", "after", "seconds")
        labels = [entry.label for entry in found.entries if entry.run is not None]
        return view(
            " vs ".join(found.labels),
            sentences=[self.verdict],
            notes=notes_of(found),
            charts=[loss_chart(found.runs, labels)],
            tables=[table(heads, rows, right=(1, 2, 3, 4, 5))] if rows else [],
        )


def compare_plans(
    model: str | Path | Anatomy,
    plans: Sequence[AnyPlan],
    data: str | Path,
    *,
    steps: int = 100,
    seeds: Sequence[int] = (0,),
    learning_rates: Sequence[float | None] = (),
    find_rates: bool = True,
    wait: bool = True,
    on_event: OnEvent | None = None,
    **settings: Any,
) -> ComparedPlans:
    """Train several plans on the same data and seeds, and say which ends lower.

    Args:
        model, data: as for `train`.
        plans: two or more, each as `train` takes it.
        learning_rates: one per plan; None for one that is found, or suggested.
        find_rates: whether rates that are not given are found by short runs first.
        wait: whether to return when all runs are over; else once they are queued.
        on_event: called with every event of the runs while this waits.
        settings: any other setting, by the name of its option of the command `train`.

    Raises:
        UserError: the comparison cannot be made as asked; or a run failed while this waited.
    """
    made = make_comparison(
        model.source if isinstance(model, Anatomy) else str(model),
        [as_contender(plan) for plan in plans],
        data=str(data),
        steps=steps,
        seeds=seeds,
        learning_rates=learning_rates,
        find_rates=find_rates,
        **settings,
    )
    compared = ComparedPlans(made.name)
    if wait:
        return compared.wait(on_event)
    workers.preload()
    start_runs(made)
    return compared


def find_comparison(name: str | None = None) -> ComparedPlans:
    """The comparison of this name; without one, the latest.

    Raises:
        RunError: there is none.
    """
    if name is not None:
        return ComparedPlans(name)
    latest = latest_comparison()
    if latest is None:
        raise RunError("There is no comparison yet. `compare_plans` makes one.")
    return ComparedPlans(latest.name)
