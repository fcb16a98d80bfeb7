"""What the Train tab's form means: pure functions that its handlers call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwen_ui.engine import steepest_rate, suggest_learning_rate
from qwen_ui.errors import SettingsError, UserError
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model.weights import refuse_quantized
from qwen_ui.paths import runs_folder
from qwen_ui.runs import fold_run, make_spec, run_folder, run_names, status_of
from qwen_ui.ui.page import OWN, kept_files, render, trained_model

if TYPE_CHECKING:
    from qwen_ui.runs import RunSpec
    from qwen_ui.ui.page import Session

WHOLE_NUMBERS = (
    "steps",
    "batch_size",
    "sequence_length",
    "gradient_accumulation_steps",
    "seed",
    "eval_every",
    "early_stopping_patience",
    "checkpoint_every",
    "processes",
)
FINDER_STEPS = 80


@dataclass(frozen=True, slots=True)
class Intent:
    """What a launch would do.

    Attributes:
        model: the model that trains: the one in the header, or its twin where that has no weights.
        rate: the suggested learning rate, None where the plan trains nothing.
        text: HTML that says both, and what the plan trains there.
    """

    model: str
    rate: float | None
    text: str


def intent(session: Session, source: str, plan: FreezePlan) -> Intent:
    """What launching would train, at which rate, with words for it."""
    if not source:
        return Intent("", None, "")
    try:
        model = trained_model(session, source, plan)
        refuse_quantized(session.anatomy(model))
        selection = resolve(plan, session.anatomy(model))
    except UserError as error:
        return Intent(source, None, render("train/intent.html", model="", problem=str(error)))
    told = {"model": model, "stands_in_for": source if model != source else "", "problem": ""}
    if not selection.names:
        return Intent(model, None, render("train/intent.html", **told, summary=""))
    suggested = suggest_learning_rate(selection)
    text = render(
        "train/intent.html",
        **told,
        summary=selection.summary,
        rate=f"{suggested.rate:g}",
        source=suggested.source,
    )
    return Intent(model, suggested.rate, text)


def spec_of(form: dict[str, Any], model: str, plan: FreezePlan) -> RunSpec:
    """The settings of the run that the form asks for.

    Raises:
        SettingsError: a field is empty or out of range.
        DataError: no data was chosen.
    """
    values = dict(form)
    choice, columns = values.pop("data"), (values.pop("columns") or "").strip()
    data, held_out = kept_files(choice, values.pop("upload"), values.pop("eval_upload"))
    percent = values.pop("validation_percent")
    if percent is not None and not 0 < percent < 100:
        raise SettingsError("The validation split must be between 0 and 100 %, or empty.")
    prompts = [line.strip() for line in values.pop("sample_prompts").splitlines() if line.strip()]
    values["learning_rate"] = values["learning_rate"] or None
    for name in WHOLE_NUMBERS:
        values[name] = _whole(name, values[name])
    warmup = values.pop("warmup_percent") or 0
    values["warmup_steps"] = round(warmup / 100 * values["steps"])
    values["sharded"] = bool(values["sharded"]) and values["processes"] > 1
    return make_spec(
        **values,
        model=model,
        plan=plan.to_dict(),
        data=data,
        eval_data=held_out,
        columns=columns or None if choice == OWN else None,
        validation_split=None if percent is None else percent / 100,
        sample_prompts=tuple(prompts),
        sample_every=values["eval_every"],
    )


def finder_of(spec: RunSpec) -> RunSpec:
    """The learning-rate finder for this run: its data and batches, nothing in between."""
    quiet = {
        "steps": FINDER_STEPS,
        "learning_rate_finder": True,
        "warmup_steps": 0,
        "sample_prompts": (),
        "sample_tokens": 0,
        "trackers": (),
    }
    every = ("eval_every", "sample_every", "checkpoint_every", "early_stopping_patience")
    return spec.changed(**quiet, **dict.fromkeys(every, 0))


def rate_found(run: str) -> tuple[float | None, str] | None:
    """(rate, sentence) of a learning-rate finder; None while it is running.

    Raises:
        RunError: there is no such run.
    """
    folder = run_folder(run)
    status = status_of(folder)
    if not status.over:
        return None
    if status.status != "completed":
        return None, f"The learning-rate finder is {status.status}. {status.reason}"
    columns = fold_run(folder).columns
    steps = [
        (rate, loss)
        for rate, loss in zip(columns["learning_rate"], columns["loss"], strict=True)
        if rate is not None and loss is not None
    ]
    rate = steepest_rate([rate for rate, _ in steps], [loss for _, loss in steps])
    if rate is None:
        return None, "The loss never fell in the learning-rate finder: check the data and the plan."
    rate = float(f"{rate:.1e}")
    return rate, f"{rate:g}, where the loss fell fastest over {len(steps)} steps of the finder."


def latest_run() -> str:
    """The run to show when the page opens: the newest that goes on, else the newest, else ""."""
    names = run_names()
    living = (name for name in names[:50] if not status_of(runs_folder() / name).over)
    return next(living, names[0] if names else "")


def _whole(name: str, value: Any) -> int:
    if value is None:
        raise SettingsError(f"The setting '{name}' is empty. Give it a number.")
    if float(value) != int(value):
        raise SettingsError(f"The setting '{name}' is {value:g}. Give it a whole number.")
    return int(value)
