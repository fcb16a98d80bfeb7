"""Who asks, and what they may: on a public dashboard each visitor within limits, else everything.

This is the one place that decides. Rooms ask it where something is opened, made, listed or found by
a name that a person gave: `refuse_model`, `admit_run`, `is_own`, `own_folder`, `refuse`. The pages
say who asks (`entered`) around every handler and server function.

A command, a worker and the dashboard's own threads are nobody's visit, and may do everything, until
`restrict` is called: then whoever does not say who asks is a visitor who owns nothing. So what was
forgotten is closed, not open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_ui.errors import DataError, ModelError, RunError, SettingsError
from qwen_ui.paths import ASSETS, home

OWNER = "owner"
MIB = 1024**2
DO_IT_YOURSELF = "Start your own dashboard for that: pip install qwen-ui"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a visitor of a public dashboard may do.

    Attributes:
        opens, trains: names of the models that may be looked into, and trained.
        steps, sequence_length, tokens_per_step: the most of a run, counted before it is launched.
        sample_tokens: the most tokens of a sample.
        prefix_bytes: the most of cached outputs on disk, of a run.
        own_runs, runs: how many may wait and train, of one visitor and of all.
        own_kept: how many runs of a visitor are kept.
        upload_bytes: the most of an uploaded file.
        run_seconds: how long a run may train; then it is stopped.
        kept_seconds: how long what a visitor left is kept.
        kept_bytes: of all that visitors left; then the oldest goes.
    """

    opens: frozenset[str]
    trains: frozenset[str]
    steps: int = 200
    sequence_length: int = 256
    tokens_per_step: int = 8192
    sample_tokens: int = 64
    prefix_bytes: int = 256 * MIB
    own_runs: int = 8
    runs: int = 24
    own_kept: int = 24
    upload_bytes: int = 2 * MIB
    run_seconds: float = 600.0
    kept_seconds: float = 7200.0
    kept_bytes: int = 2048 * MIB


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor's request; `visitor` is "" for one who owns nothing."""

    visitor: str
    limits: Limits


_EVERYBODY = object()
_now: ContextVar[Any] = ContextVar("visit", default=None)
_restricted: list[Limits] = []


def restrict(limits: Limits | None) -> None:
    """From now on nothing is allowed to whoever does not say who asks; None lifts it."""
    _restricted[:] = [] if limits is None else [limits]


@contextmanager
def entered(visit: Visit | None) -> Iterator[None]:
    """Ask as this visitor; None is the dashboard itself, which may do everything."""
    token = _now.set(_EVERYBODY if visit is None else visit)
    try:
        yield
    finally:
        _now.reset(token)


def current_visit() -> Visit | None:
    """Who asks; None where everything is allowed."""
    found = _now.get()
    if found is _EVERYBODY:
        return None
    if found is None and _restricted:
        return Visit("", _restricted[0])
    visit: Visit | None = found
    return visit


def refuse(what: str) -> None:
    """Refuse what no visitor may do.

    Raises:
        SettingsError: on a public dashboard. `what` begins the sentence: "Launching on Slurm".
    """
    if current_visit() is not None:
        raise SettingsError(f"{what} is off on this public dashboard. {DO_IT_YOURSELF}")


def refuse_model(source: str) -> None:
    """Refuse a folder, a file or a hub id.

    Raises:
        ModelError: it is not bundled, and this is a public dashboard.
    """
    visit = current_visit()
    if visit is not None and source.strip() not in visit.limits.opens:
        raise ModelError(
            f"'{source[:100]}' cannot be opened on this public dashboard: it opens the bundled "
            f"models, no folders and no hub ids. {DO_IT_YOURSELF}"
        )


def admit_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings of a run, by their flat names, that are beyond the limits.

    Raises:
        UserError: which, and what the limit is.
    """
    visit = current_visit()
    if visit is None:
        return
    limits = visit.limits
    if settings.get("model") not in limits.trains:
        raise ModelError(
            f"This public dashboard trains {', '.join(sorted(limits.trains))} alone. "
            f"{DO_IT_YOURSELF}"
        )
    for name in ("data", "eval_data", "keep"):
        if settings.get(name) is not None:
            refuse_data(str(settings[name]))
    if settings.get("trackers"):
        refuse("Logging to a tracker")
    if int(settings.get("processes") or 1) > 1:
        refuse("Training in several processes")
    tokens = (
        int(settings.get("batch_size") or 1)
        * int(settings.get("gradient_accumulation_steps") or 1)
        * int(settings.get("sequence_length") or 1)
    )
    asked = {
        "steps": (int(settings.get("steps") or 0), limits.steps),
        "sequence_length": (int(settings.get("sequence_length") or 0), limits.sequence_length),
        "batch size x accumulation x sequence length": (tokens, limits.tokens_per_step),
        "sample_tokens": (int(settings.get("sample_tokens") or 0), limits.sample_tokens),
    }
    for name, (value, most) in asked.items():
        if value > most:
            raise SettingsError(
                f"On this public dashboard {name} is {most:,} at most, not {value:,}. Give less. "
                f"{DO_IT_YOURSELF}"
            )


def admit_runs(new: int, folders: list[Path]) -> None:
    """Refuse more runs than may wait and train.

    Args:
        new: how many are to be started.
        folders: of all runs that wait or train.

    Raises:
        RunError: there are too many.
    """
    visit = current_visit()
    if visit is None:
        return
    own = sum(is_own(folder) for folder in folders)
    for count, most, whose in (
        (own, visit.limits.own_runs, "you have"),
        (len(folders), visit.limits.runs, "all visitors together have"),
    ):
        if count + new > most:
            raise RunError(
                f"On this public dashboard {most} runs may wait and train at a time, and {whose} "
                f"{count}; this would be {new} more. Wait for one to end, or stop one."
            )


def refuse_data(file: str) -> None:
    """Refuse data that are neither bundled nor this visitor's own upload.

    Raises:
        DataError: they are neither.
    """
    if current_visit() is None:
        return
    path = Path(file).resolve()
    allowed = (ASSETS / "data", own_folder("uploads"))
    if not any(path.is_relative_to(folder.resolve()) for folder in allowed):
        raise DataError(
            "On this public dashboard data are the bundled texts or a small file of your own that "
            "you upload here."
        )


def own_folder(name: str) -> Path:
    """The folder of this name under `home()`; on a public dashboard this visitor's own."""
    visit = current_visit()
    return home() / name if visit is None else home() / name / (visit.visitor or "nobody")


def own(folder: Path) -> None:
    """Note whose a new folder is; on a public dashboard alone."""
    visit = current_visit()
    if visit is not None:
        (folder / OWNER).write_text(visit.visitor, encoding="ascii")


def is_own(folder: Path) -> bool:
    """Whether the one who asks may see this run or comparison."""
    visit = current_visit()
    if visit is None:
        return True
    try:
        owner = (folder / OWNER).read_text(encoding="ascii")
    except (OSError, ValueError):
        return False
    return bool(owner) and owner == visit.visitor
