"""What a person asks to compare on the Compare tab, and the comparison that it makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from qwen_ui.compare import (
    comparison_from,
    comparison_settings,
    latest_comparison,
    lora_reference,
    plan_comparison,
    start_runs,
)
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import TOP_LAYERS, FreezePlan, preset
from qwen_ui.ui.page import (
    OWN,
    Session,
    kept_files,
    kept_text_file,
    saved_plan,
    saved_plan_names,
    trained_model,
)

if TYPE_CHECKING:
    from qwen_ui.compare import Contender

CLASSIC = ("attention", "bitfit")
SAVED = "saved: "
REFERENCE, IN_FORCE = "LoRA (reference)", "the current plan"
PRESETS = (*CLASSIC, "mlp", "norms", "embeddings", "full")
CHOICES = (*PRESETS, REFERENCE, IN_FORCE)
PROMPT = "And it came to pass"


class Asked(NamedTuple):
    """The form's values, in the order of its components.

    Attributes:
        data, upload, columns: the training data; a part is held out.
        keep, keep_upload: the text to keep.
        steps: of every run.
        seeds: how many, from 0.
        find_rates: whether short runs find each plan's learning rate first.
    """

    data: str
    upload: str | None
    columns: str
    keep: str
    keep_upload: str | None
    steps: int
    seeds: int
    find_rates: bool = True


def begin_comparison(
    session: Session, source: str, plans: Sequence[FreezePlan | Contender], asked: Asked
) -> str:
    """Make a comparison of these plans and start its runs; its name.

    Raises:
        UserError: it cannot run.
    """
    return start_runs(comparison_from(asked_comparison(session, source, plans, asked))).name


def asked_comparison(
    session: Session, source: str, plans: Sequence[FreezePlan | Contender], asked: Asked
) -> dict[str, Any]:
    """What such a comparison is to run, checked; nothing is written down or started.

    Raises:
        UserError: it cannot run.
    """
    steps, seeds = int(asked.steps or 0), int(asked.seeds or 0)
    if steps < 1 or seeds < 1:
        raise SettingsError("A comparison needs at least 1 step and 1 seed.")
    training, evaluation = kept_files(asked.data, asked.upload)
    planned = plan_comparison(
        trained_model(session, source),
        plans,
        seeds=range(seeds),
        find_rates=asked.find_rates,
        data=training,
        eval_data=evaluation,
        keep=kept_text_file(asked.keep, asked.keep_upload),
        columns=columns_of(asked.data, asked.columns),
        steps=steps,
        eval_every=max(1, steps // 3),
        sample_prompts=(PROMPT,),
        within_limits=True,
    )
    return comparison_settings(planned)


def classic_plans() -> list[FreezePlan | Contender]:
    """The two plans of the demonstration."""
    return [preset(name) for name in CLASSIC]


def columns_of(choice: str, columns: str) -> str | None:
    """The mapping by hand of own data; None for none."""
    return (columns.strip() or None) if choice == OWN else None


def ticked_plans(
    ticked: Sequence[str], layers: str, plan: FreezePlan
) -> list[FreezePlan | Contender]:
    """What is ticked: presets and LoRA on these layers, and the plan in force."""
    on = layers or None
    presets = [preset(name, on) for name in ticked if name in PRESETS]
    plans: list[FreezePlan | Contender] = [*presets]
    plans += [saved_plan(t.removeprefix(SAVED)) for t in ticked if t.startswith(SAVED)]
    if REFERENCE in ticked:
        plans.append(lora_reference(on))
    if IN_FORCE in ticked:
        taken = {other.name for other in plans if isinstance(other, FreezePlan)}
        name = plan.name or IN_FORCE
        plans.append(plan.model_copy(update={"name": f"{name} (mine)" if name in taken else name}))
    return plans


def plans_asked(value: str) -> tuple[Any, ...]:
    """The plans to tick where the plan in force is to be compared with another, named by `value`.

    Raises:
        PlanError: there is no such plan.
    """
    try:
        other = str(json.loads(value)["other"])
    except (ValueError, KeyError, TypeError) as error:
        raise PlanError("What to compare with was not understood. Reload the page.") from error
    kind, _, name = other.partition(":")
    if kind == "saved":
        saved_plan(name)
        ticked = SAVED + name
    elif kind == "preset" and name in PRESETS:
        ticked = name
    elif kind == "lora":
        ticked = REFERENCE
    else:
        raise PlanError(f"There is no plan '{other[:100]}' to compare with. Choose another.")
    shown = gr.CheckboxGroup(choices=plan_choices(), value=[IN_FORCE, ticked])
    return shown, TOP_LAYERS, gr.Accordion(open=True)


def plan_choices() -> list[str]:
    """What can be ticked: presets, the reference, the plan in force, the saved plans."""
    return [*CHOICES, *(SAVED + name for name in saved_plan_names())]


def latest_name() -> str:
    """Name of the last comparison, "" where there is none."""
    found = latest_comparison()
    return found.name if found is not None else ""
