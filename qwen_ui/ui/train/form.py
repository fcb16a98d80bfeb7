"""What the Train tab's form means: pure functions that its handlers call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwen_ui.engine import suggest_learning_rate
from qwen_ui.errors import SettingsError, UserError
from qwen_ui.formats import rate_text
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model.weights import refuse_untrainable
from qwen_ui.paths import runs_folder
from qwen_ui.runs import make_spec, rate_search_of, run_folder, run_names, status_of
from qwen_ui.ui.page import OWN, kept_files, kept_text_file, render, trained_model
from qwen_ui.visits import is_own

if TYPE_CHECKING:
    from qwen_ui.runs import RunSpec
    from qwen_ui.ui.page import Session

MOST_LOOKED_AT = 50
WHOLE_NUMBERS = (
    "steps",
    "batch_size",
    "sequence_length",
    "gradient_accumulation_steps",
    "seed",
    "eval_every",
    "eval_tokens",
    "early_stopping_patience",
    "checkpoint_every",
    "processes",
)


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


def intent(
    session: Session, source: str, plan: FreezePlan, steps: float | None, batch: float | None
) -> Intent:
    """What launching would train, at which rate for so many steps and sequences, in words."""
    if not source:
        return Intent("", None, "")
    try:
        model = trained_model(session, source, plan)
        refuse_untrainable(session.anatomy(model))
        selection = resolve(plan, session.anatomy(model))
    except UserError as error:
        return Intent(source, None, render("train/intent.html", model="", problem=str(error)))
    told = {"model": model, "stands_in_for": source if model != source else "", "problem": ""}
    if not selection.names:
        return Intent(model, None, render("train/intent.html", **told, summary=""))
    suggested = suggest_learning_rate(
        selection, steps=max(1, int(steps or 1)), batch=max(1, int(batch or 1))
    )
    text = render(
        "train/intent.html",
        **told,
        summary=selection.summary,
        rate=rate_text(suggested.rate),
        source=suggested.source,
    )
    return Intent(model, suggested.rate, text)


def waits_for(trains: bool, usable: bool) -> str:
    """Why a run cannot be launched: whether the plan trains anything, and the data can be used."""
    if not trains:
        return "Waits for a plan that trains something: choose one on Freeze."
    return "" if usable else "Waits for data that can be used: see what is said under Data."


def spec_of(form: dict[str, Any], model: str, plan: FreezePlan) -> RunSpec:
    """The settings of the run that the form asks for.

    Raises:
        SettingsError: a field is empty or out of range.
        DataError: no data was chosen.
    """
    values = dict(form)
    choice, columns = values.pop("data"), (values.pop("columns") or "").strip()
    data, held_out = kept_files(choice, values.pop("upload"), values.pop("eval_upload"))
    keep = kept_text_file(values.pop("keep"), values.pop("keep_upload"))
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
        keep=keep,
        columns=columns or None if choice == OWN else None,
        validation_split=None if percent is None else percent / 100,
        sample_prompts=tuple(prompts),
        sample_every=values["eval_every"],
    )


def rate_found(run: str) -> tuple[float | None, str] | None:
    """(rate, sentence) of a learning-rate finder; None while it is running.

    Raises:
        RunError: there is no such run.
    """
    search = rate_search_of(run_folder(run))
    if not search.over:
        return None
    if search.status != "completed":
        return None, f"The learning-rate finder is {search.status}. {search.reason}"
    return search.rate, f"{search.reason} It took {search.seconds:.0f} s."


def latest_run() -> str:
    """The run to show when the page opens: one that trains, else the next that waits, else the
    newest; "" where there is none."""
    names = [name for name in run_names() if is_own(runs_folder() / name)]
    found = {name: status_of(runs_folder() / name) for name in names[:MOST_LOOKED_AT]}
    training = [name for name, status in found.items() if status.status == "running"]
    # Of those that wait the oldest is the next.
    waiting = [name for name, status in reversed(found.items()) if not status.over]
    return next(iter([*training, *waiting, *names]), "")


def _whole(name: str, value: Any) -> int:
    if value is None:
        raise SettingsError(f"The setting '{name}' is empty. Give it a number.")
    if float(value) != int(value):
        raise SettingsError(f"The setting '{name}' is {value:g}. Give it a whole number.")
    return int(value)
