"""A run, and all of them, as values of a program: watched, stopped, shown in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from qwen_ui import workers
from qwen_ui.errors import RunError
from qwen_ui.formats import duration
from qwen_ui.markup import SERIES_COLOURS, Series, chart, table, view
from qwen_ui.paths import runs_folder
from qwen_ui.runs import Event, run_curves, run_folder, run_rows, run_summary, status_of

OnEvent = Callable[[Event], None]


class Run:
    """A run, by its name. What it is asked for is read from the run's folder at that moment.

    Raises:
        RunError: there is no such run.
    """

    def __init__(self, name: str) -> None:
        run_folder(name)
        self.name = name

    @property
    def folder(self) -> Path:
        """The folder that holds all of the run."""
        return run_folder(self.name)

    @property
    def status(self) -> str:
        """One of `queued`, `running`, `completed`, `stopped`, `failed`, `interrupted`."""
        return status_of(self.folder).status

    @property
    def over(self) -> bool:
        """Whether it trains no more."""
        return status_of(self.folder).over

    @property
    def losses(self) -> list[float]:
        """The training loss of every step so far, in nats per token."""
        return list(self.summary()["losses"])

    @property
    def eval_loss_before(self) -> float | None:
        """Of the held-out samples before training, in nats per token; None before it is known."""
        found: float | None = self.summary()["eval_loss_before"]
        return found

    @property
    def eval_loss_after(self) -> float | None:
        """Of the held-out samples after training, in nats per token; None before it is known."""
        found: float | None = self.summary()["eval_loss_after"]
        return found

    @property
    def delta(self) -> Path | None:
        """The file of the trained tensors; None before it is written."""
        file = self.summary()["delta"]
        return Path(file) if file else None

    def summary(self) -> dict[str, Any]:
        """All figures, as the command `train --json` prints them."""
        return run_summary(self.folder)

    def wait(self, on_event: OnEvent | None = None) -> Run:
        """Return when the run is over; meanwhile this process also starts what waits in the queue.

        Args:
            on_event: called with every event of the run, such as `{"event": "step", "loss": 2.1}`.

        Raises:
            RunError: the run failed, or was cut off; the message says why.
        """
        summary = workers.wait(self.name, on_event)
        if summary["status"] in {"failed", "interrupted"}:
            raise RunError(f"The run '{self.name}' {summary['status']}. {summary['reason']}")
        return self

    def stop(self) -> None:
        """Ask the run to save what it has and stop; `wait` returns when it has done so.

        Raises:
            RunError: it is over already.
        """
        workers.stop(self.name)

    def resume(self) -> Run:
        """Continue a run that ended before its last step, without waiting for its end.

        Raises:
            RunError: it is completed, or has not ended.
        """
        workers.resume(self.name)
        return self

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.status})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def _repr_html_(self) -> str:
        """How it shows itself in a notebook: the loss by step, and the figures."""
        found = self.summary()
        rows = [
            ("status", found["status"]),
            ("steps", f"{len(found['losses']):,} of {found['steps']:,}"),
            ("evaluation loss before", loss_text(found["eval_loss_before"])),
            ("evaluation loss after", loss_text(found["eval_loss_after"])),
            ("seconds per step (median)", loss_text(found["seconds_per_step"])),
            ("frozen blocks cached", f"{found['prefix_blocks']}"),
        ]
        reason = [found["reason"]] if found["reason"] else []
        return view(
            self.name,
            sentences=reason,
            notes=found["notes"],
            charts=[loss_chart([self.name], ["training loss"])],
            tables=[table(("", ""), rows, right=(1,))],
        )


class RunList(Sequence[Run]):
    """All runs, the newest first."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> RunList: ...
    def __getitem__(self, at: int | slice) -> Run | RunList:
        return RunList(self._rows[at]) if isinstance(at, slice) else Run(self._rows[at]["run"])

    def __iter__(self) -> Iterator[Run]:
        return (Run(row["run"]) for row in self._rows)

    def __repr__(self) -> str:
        return f"RunList({[row['run'] for row in self._rows]})"

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, for instance for a data frame."""
        return [dict(row) for row in self._rows]

    def _repr_html_(self) -> str:
        """How they show themselves in a notebook."""
        rows = [
            (
                row["run"],
                row["status"],
                f"{row['step']}/{row['steps']}",
                loss_text(row["eval_before"]),
                loss_text(row["eval_after"]),
                row["model"],
                row["plan"],
                duration(row["elapsed"] or 0),
            )
            for row in self._rows
        ]
        heads = ("run", "status", "step", "before", "after", "model", "plan", "trained for")
        return view("Runs", tables=[table(heads, rows, right=(2, 3, 4, 7))])


def find_run(name: str) -> Run:
    """The run of this name.

    Raises:
        RunError: there is none.
    """
    return Run(name)


def list_runs() -> RunList:
    """All runs, the newest first."""
    return RunList(run_rows(runs_folder()))


def loss_text(value: float | None) -> str:
    """A figure with three digits; a dash where it is not known."""
    return "–" if value is None else f"{value:.3f}"


def loss_chart(runs: Sequence[str], names: Sequence[str]) -> str:
    """An SVG of the losses by step of these runs under these names; "" where there is none yet."""
    labels = list(dict.fromkeys(names))
    lines, labelled = [], set()
    for run, name in zip(run_curves(runs, only=("loss", "eval")), names, strict=False):
        colour = SERIES_COLOURS[labels.index(name) % len(SERIES_COLOURS)]
        for figure in ("loss", "eval"):
            x, y = run["lines"].get(figure, ([], []))
            points = [(at, value) for at, value in zip(x, y, strict=True) if value is not None]
            if not points:
                continue
            shown = f"{name}, held out" if figure == "eval" else name
            lines.append(
                Series(
                    shown,
                    [at for at, _ in points],
                    [value for _, value in points],
                    colour,
                    points=figure == "eval",
                    label=shown not in labelled,
                    width=1.0 if figure == "loss" else 2.0,
                )
            )
            labelled.add(shown)
    return chart("Loss by step", lines, x_title="step", y_title="nats per token")
