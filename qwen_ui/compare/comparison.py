"""Several plans, one data set, one verdict: the same model, data, order, seeds and steps.

A comparison is a file that lists what is to be run and which run answers it. `carry_on` starts what
is missing, so a comparison that was interrupted goes on where it stopped. Each plan has its own
learning rate, since a shared one makes tiny plans look broken; the frozen prefix is kept on disk by
the runs and so computed once for all plans that share it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qwen_ui.engine.request import checked_spec
from qwen_ui.errors import PlanError, RunError, SettingsError
from qwen_ui.files import read_json, write_json
from qwen_ui.freeze import FreezePlan, preset, preset_plans
from qwen_ui.freeze.plan import MAX_PLAN_BYTES
from qwen_ui.paths import home
from qwen_ui.runs.events import Event
from qwen_ui.runs.spec import RunSpec, parse_spec
from qwen_ui.runs.summary import followed_digest, run_folder, run_summary, status_of
from qwen_ui.workers import preload, resume, start, stop, wait

COMPARISON_FILE = "comparison.json"
MAX_RUNS = 64
CHECKPOINTS = 5
LORA, LORA_RANK = "lora", 8
CUT_OFF = ("interrupted", "stopped", "failed")


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a comparison.

    Attributes:
        label: the plan's name.
        seed: of order and sampling.
        spec: the run's settings.
        run: its id; None before it was started.
    """

    label: str
    seed: int
    spec: RunSpec
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """A plan to compare, trained as it is or, for reference, by LoRA on its linear modules.

    Attributes:
        lora_rank: of the adapters; 0 trains the plan itself.
    """

    plan: FreezePlan
    lora_rank: int = 0

    @property
    def name(self) -> str:
        """What its runs are called."""
        return f"{self.plan.name} by LoRA" if self.lora_rank else self.plan.name


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared. Attributes: `name`, the folder's; `entries`, seed by seed."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def folder(self) -> Path:
        return comparisons_folder() / self.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The plans' names, in order."""
        return tuple(dict.fromkeys(entry.label for entry in self.entries))

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the runs started so far."""
        return tuple(entry.run for entry in self.entries if entry.run is not None)


def comparisons_folder() -> Path:
    """`home()/comparisons`: one folder a comparison."""
    return home() / "comparisons"


def make_comparison(
    model: str,
    plans: Sequence[FreezePlan | Contender],
    *,
    seeds: Sequence[int] = (0,),
    learning_rates: Sequence[float | None] = (),
    **settings: Any,
) -> Comparison:
    """A comparison that is written down and not yet started.

    Args:
        plans: two or more, of different names.
        learning_rates: one a plan; None, or none at all, takes the suggested one.
        settings: the other settings of `make_spec`, the same for all. Unless told otherwise a run
            writes five checkpoints, so that what is cut off goes on from there.

    Raises:
        UserError: fewer than two plans, two of one name, or settings that cannot run.
    """
    rates = list(learning_rates) or [None] * len(plans)
    contenders = [plan if isinstance(plan, Contender) else Contender(plan) for plan in plans]
    labels = [contender.name for contender in contenders]
    if len(plans) < 2 or len(set(labels)) < len(labels) or "" in labels:
        raise SettingsError("Give at least two plans, each with a name of its own.")
    if len(rates) != len(plans):
        raise SettingsError(f"Give one learning rate for each of the {len(plans)} plans.")
    if not seeds or len(plans) * len(seeds) > MAX_RUNS or len(set(seeds)) < len(seeds):
        raise SettingsError(f"Give different seeds, at least one, and {MAX_RUNS} runs at most.")
    settings.setdefault("checkpoint_every", max(1, settings.get("steps", 100) // CHECKPOINTS))
    entries = []
    for seed in seeds:
        for contender, rate in zip(contenders, rates, strict=True):
            spec = checked_spec(
                model=model,
                plan=contender.plan,
                lora_rank=contender.lora_rank,
                seed=seed,
                learning_rate=rate,
                **settings,
            )
            entries.append(Entry(contender.name, seed, spec))
    comparison = Comparison(secrets.token_hex(4), tuple(entries))
    comparison.folder.mkdir(parents=True)
    _write(comparison)
    return comparison


def read_comparison(name: str) -> Comparison:
    """The comparison of this name.

    Raises:
        RunError: there is none, or its file cannot be read.
    """
    file = comparisons_folder() / Path(name).name / COMPARISON_FILE
    values = read_json(file) if file.is_file() else {}
    if "entries" not in values:
        raise RunError(f"There is no comparison '{name}'. Start a new one.")
    entries = ({**entry, "spec": parse_spec(entry["spec"])} for entry in values["entries"])
    return Comparison(Path(name).name, tuple(Entry(**entry) for entry in entries))


def latest_comparison() -> Comparison | None:
    """The comparison that was written to last, if there is any."""
    files = sorted(
        comparisons_folder().glob(f"*/{COMPARISON_FILE}"), key=lambda file: file.stat().st_mtime
    )
    return read_comparison(files[-1].parent.name) if files else None


def begin(comparison: Comparison) -> Comparison:
    """Start every run that has none, resume those that were cut off; they wait for each other."""
    for number, entry in enumerate(comparison.entries):
        if entry.run is None:
            started = replace(entry, run=start(entry.spec))
            entries = list(comparison.entries)
            entries[number] = started
            comparison = replace(comparison, entries=tuple(entries))
            # At once, so that a crash between two runs starts none of them twice.
            _write(comparison)
        elif status_of(run_folder(entry.run)).status in CUT_OFF:
            resume(entry.run)
    return comparison


def carry_on(comparison: Comparison, on_event: Callable[[Event], None] | None = None) -> Comparison:
    """`begin`, and wait for the end of all runs, handing every event to `on_event`.

    The first run waits for imports, as it would anyway; those after it are forked.
    """
    if len(comparison.entries) > 1:
        preload(wait=True)
    comparison = begin(comparison)
    for run in comparison.runs:
        wait(run, on_event)
    return comparison


def stop_all(comparison: Comparison) -> None:
    """Ask every run that is not over to save and stop."""
    for run in comparison.runs:
        if not status_of(run_folder(run)).over:
            stop(run)


def results(comparison: Comparison) -> list[dict[str, Any]]:
    """Of every run started: what `train --json` says, plan, seed, counts, delta bytes, samples."""
    found = []
    for entry in comparison.entries:
        if entry.run is None:
            continue
        folder = run_folder(entry.run)
        record = run_summary(folder)
        file = Path(record["delta"]) if record["delta"] else None
        record |= {"plan": entry.label, "seed": entry.seed, **_told(folder)}
        record["delta_bytes"] = file.stat().st_size if file is not None else None
        found.append(record)
    return found


def _told(folder: Path) -> dict[str, Any]:
    """What a run's events say beside its summary."""
    keys = ("trainable_parameters", "total_parameters", "learning_rate", "learning_rate_source")
    with followed_digest(folder) as digest:
        samples = [
            {key: event.get(key) for key in ("step", "prompt", "text")} for event in digest.samples
        ]
        told = {key: digest.start.get(key) for key in keys}
        return {"samples": samples, "elapsed": digest.elapsed, **told}


def named_plans(text: str, layers: str | None = None) -> list[FreezePlan | Contender]:
    """Plans from `attention,bitfit`: presets, presets at layers (`mlp@last:2`), or plan files.

    `lora` is LoRA on what the preset `attention` selects.

    Raises:
        PlanError: a name that is neither a preset nor a file.
    """
    return [_named_plan(word.strip(), layers) for word in text.split(",") if word.strip()]


def _named_plan(word: str, layers: str | None) -> FreezePlan | Contender:
    name, at, expression = word.partition("@")
    if at:  # commas part plans here, so layers join their terms by a plus sign
        layers = expression.replace("+", ",")
    if name == LORA:
        return lora_reference(layers)
    if name in preset_plans():
        return preset(name, layers)
    file = Path(word)
    if not file.is_file() or file.stat().st_size > MAX_PLAN_BYTES:
        raise PlanError(
            f"'{word}' is neither a preset ({', '.join(preset_plans())}), nor {LORA}, nor a plan "
            "file. Check its spelling."
        )
    plan = FreezePlan.from_json(file.read_text(encoding="utf-8", errors="replace"))
    return plan if plan.name else plan.model_copy(update={"name": file.stem})


def lora_reference(layers: str | None = None) -> Contender:
    """LoRA on the attention projections of these blocks, of `peft`'s default rank."""
    return Contender(preset("attention", layers), LORA_RANK)


def parse_rates(text: str | None) -> list[float | None]:
    """Learning rates from `1e-3,1e-2`; an empty place is None, and no text no rates.

    Raises:
        SettingsError: a word that is no number.
    """
    try:
        return [float(w) if w.strip() else None for w in text.split(",")] if text else []
    except ValueError as error:
        raise SettingsError(
            f"'{text}' does not list learning rates. Write one a plan, as in 1e-3,1e-2."
        ) from error


def _write(comparison: Comparison) -> None:
    entries = [asdict(entry) | {"spec": entry.spec.to_dict()} for entry in comparison.entries]
    write_json(comparison.folder / COMPARISON_FILE, {"entries": entries})
