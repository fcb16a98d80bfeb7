"""Several plans, one data set, one verdict: the same model, data, order, seeds and steps.

A comparison is a file that lists what is to be run and which run answers it. Each plan has its own
learning rate, since a shared one makes tiny plans look broken: a run of the learning-rate finder
goes before the runs of a plan that is given none, on a seed of its own, and all of the plan's seeds
take what it found. The frozen prefix is kept on disk by the runs and so computed once for all plans
that share it.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen_ui import visits
from qwen_ui.compare.contenders import Contender
from qwen_ui.engine import checked_spec
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.files import read_json, write_json
from qwen_ui.freeze import FreezePlan
from qwen_ui.paths import home
from qwen_ui.runs import RunSpec, open_folders, parse_spec

COMPARISON_FILE = "comparison.json"
MAX_RUNS = 64
CHECKPOINTS = 5
_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]{0,79}")
logger = logging.getLogger("qwen_ui")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a comparison.

    Attributes:
        label: name of the plan.
        seed: random seed for data order and sampling.
        spec: settings of the run.
        run: id of the run; None before it is started.
    """

    label: str
    seed: int
    spec: RunSpec
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs that are compared.

    Attributes:
        name: of the comparison's folder.
        entries: one per seed and plan, seed by seed.
        searches: one per plan whose rate is to be found; they run before the entries.
    """

    name: str
    entries: tuple[Entry, ...]
    searches: tuple[Entry, ...] = ()

    @property
    def folder(self) -> Path:
        return comparisons_folder() / self.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The plans' names, in order."""
        return tuple(dict.fromkeys(entry.label for entry in self.entries))

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the compared runs started so far."""
        return tuple(entry.run for entry in self.entries if entry.run is not None)

    @property
    def all_runs(self) -> tuple[str, ...]:
        """Ids of all runs started so far, those that find rates first."""
        return tuple(e.run for e in (*self.searches, *self.entries) if e.run is not None)


class _RecordedEntry(BaseModel):
    """An entry as its file holds it."""

    model_config = ConfigDict(strict=True)
    label: str
    seed: int = Field(ge=0, lt=2**63)
    spec: dict[str, Any]
    run: str | None = None


class _Recorded(BaseModel):
    """The file of a comparison."""

    model_config = ConfigDict(strict=True)
    entries: list[_RecordedEntry] = Field(min_length=1, max_length=MAX_RUNS)
    searches: list[_RecordedEntry] = Field(default=[], max_length=MAX_RUNS)


def comparisons_folder() -> Path:
    """The folder `home()/comparisons`, which holds a folder per comparison."""
    return home() / "comparisons"


def make_comparison(
    model: str, plans: Sequence[FreezePlan | Contender], **settings: Any
) -> Comparison:
    """Write down a comparison without starting its runs.

    Raises:
        UserError: as `plan_comparison`, which says what the settings are.
    """
    return _written(plan_comparison(model, plans, **settings))


def plan_comparison(
    model: str,
    plans: Sequence[FreezePlan | Contender],
    *,
    seeds: Sequence[int] = (0,),
    learning_rates: Sequence[float | None] = (),
    within_limits: bool = False,
    find_rates: bool = True,
    **settings: Any,
) -> Comparison:
    """A comparison that is not written down yet.

    Args:
        plans: two or more, with different names.
        learning_rates: one per plan; None for one that is found or suggested, and so does an empty
            list.
        find_rates: whether rates that are not given are found by short runs; else they are the
            suggested ones.
        within_limits: check the runs in another process; see `checked_spec`.
        settings: the other settings of `make_spec`, the same for all. By default a run writes
            five checkpoints, so that an interrupted one can be resumed.

    Raises:
        UserError: fewer than two plans, two of one name, or settings that cannot run.
    """
    rates = list(learning_rates) or [None] * len(plans)
    contenders = [plan if isinstance(plan, Contender) else Contender(plan) for plan in plans]
    labels = [contender.name for contender in contenders]
    if len(plans) < 2 or len(set(labels)) < len(labels) or "" in labels:
        raise SettingsError("Give at least two plans with different names.")
    if len(rates) != len(plans):
        raise SettingsError(f"Give one learning rate for each of the {len(plans)} plans.")
    if not seeds or len(plans) * len(seeds) > MAX_RUNS or len(set(seeds)) < len(seeds):
        raise SettingsError(f"Give different seeds, at least one, and {MAX_RUNS} runs at most.")
    settings.setdefault("checkpoint_every", max(1, settings.get("steps", 100) // CHECKPOINTS))

    entries, searches = [], []
    for seed in seeds:
        for contender, rate in zip(contenders, rates, strict=True):
            spec = checked_spec(
                model=model,
                plan=contender.plan,
                lora_rank=contender.lora_rank,
                seed=seed,
                learning_rate=rate,
                within_limits=within_limits,
                **settings,
            )
            entries.append(Entry(contender.name, seed, spec))
            if rate is None and find_rates and seed == seeds[0]:
                finder = spec.finder()
                searches.append(Entry(contender.name, finder.optimization.seed, finder))
    return Comparison(secrets.token_hex(4), tuple(entries), tuple(searches))


def comparison_settings(comparison: Comparison) -> dict[str, Any]:
    """What a comparison is to run, as its file holds it."""
    return {
        name: [asdict(entry) | {"spec": entry.spec.to_dict()} for entry in entries]
        for name, entries in (("entries", comparison.entries), ("searches", comparison.searches))
    }


def comparison_from(settings: dict[str, Any]) -> Comparison:
    """Write down a new comparison of these `comparison_settings`, without starting its runs."""
    recorded = _Recorded.model_validate(settings)
    made = Comparison(secrets.token_hex(4), _parsed(recorded.entries), _parsed(recorded.searches))
    return _written(made)


def _written(comparison: Comparison) -> Comparison:
    new = len(comparison.entries) + len(comparison.searches)
    visits.admit_runs(new, open_folders() if visits.current_visit() else [])
    comparison.folder.mkdir(parents=True)
    visits.own(comparison.folder)
    write_comparison(comparison)
    return comparison


def write_comparison(comparison: Comparison) -> None:
    """Replace the file of this comparison."""
    write_json(comparison.folder / COMPARISON_FILE, comparison_settings(comparison))


def has_comparison(name: str) -> bool:
    """Whether there is a comparison of this name; of no other name is a path made."""
    return bool(_NAME.fullmatch(name)) and (comparisons_folder() / name / COMPARISON_FILE).is_file()


def read_comparison(name: str) -> Comparison:
    """Read the comparison of this name.

    Raises:
        RunError: there is none, or its file cannot be read.
    """
    file = comparisons_folder() / name / COMPARISON_FILE
    known = _NAME.fullmatch(name) and visits.is_own(file.parent)
    values = read_json(file) if known else {}
    if "entries" not in values:
        raise RunError(f"There is no comparison '{name[:80]}'. Start a new one.")
    try:
        recorded = _Recorded.model_validate(values)
        return Comparison(name, _parsed(recorded.entries), _parsed(recorded.searches))
    except (ValidationError, SettingsError) as error:
        raise RunError(f"The file '{file}' is damaged. Start a new comparison.") from error


def _parsed(entries: Sequence[_RecordedEntry]) -> tuple[Entry, ...]:
    return tuple(Entry(e.label, e.seed, parse_spec(e.spec), e.run) for e in entries)


def latest_comparison() -> Comparison | None:
    """The most recently changed comparison that can be read, None where there is none."""
    files = sorted(
        comparisons_folder().glob(f"*/{COMPARISON_FILE}"), key=lambda file: file.stat().st_mtime
    )
    for file in reversed(files):
        if not visits.is_own(file.parent):
            continue
        try:
            return read_comparison(file.parent.name)
        except RunError as error:
            logger.warning("%s", error)
    return None
