"""What the Train tab's buttons start: a run, the learning-rate finder, the files for a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from qwen_ui.freeze import FreezePlan
from qwen_ui.ui.page import (
    QUIET,
    Header,
    Session,
    guarded,
    paragraph,
    refused,
    wire_permit_button,
)
from qwen_ui.ui.train.components import TrainTab
from qwen_ui.ui.train.form import rate_found
from qwen_ui.ui.train.machines import written
from qwen_ui.ui.train.slurm_fields import request_of
from qwen_ui.workers import start

if TYPE_CHECKING:
    from qwen_ui.runs import RunSpec


def wire_launch(
    tab: TrainTab,
    header: Header,
    session: Session,
    asked: Callable[[str, FreezePlan, tuple[Any, ...]], RunSpec],
) -> None:
    """Connect the buttons; `asked` gives the checked settings of the form."""
    given = [header.model, header.plan, *tab.settings.components()]

    slurm = tab.slurm.components()

    @guarded
    def on_launch(source: str, plan: FreezePlan, *values: Any) -> str:
        fields, job = values[: -len(slurm)], values[-len(slurm) :]
        return start(asked(source, plan, fields), request_of(*job))

    @guarded
    def on_find_rate(source: str, plan: FreezePlan, *values: Any) -> tuple[Any, ...]:
        run = start(asked(source, plan, values).finder())
        text = "The learning-rate finder runs; the rate is filled in when it ends."
        note = paragraph(text, "qt-note")
        return run, run, gr.Timer(active=True), gr.Button(interactive=False), note

    @guarded
    def on_poll(run: str) -> tuple[Any, ...]:
        found = rate_found(run)
        if found is None:
            return (gr.skip(),) * 4
        rate, said = found
        filled = gr.skip() if rate is None else rate
        note = paragraph(said, "qt-note")
        return filled, note, gr.Timer(active=False), gr.Button(interactive=True)

    @guarded
    def on_write(count: float, each: float, source: str, plan: FreezePlan, *values: Any) -> Any:
        return written(asked(source, plan, values), count, each)

    def settings_now(source: str, plan: FreezePlan, *values: Any) -> dict[str, Any]:
        return asked(source, plan, values).to_dict()

    wire_permit_button(tab.permit, session, "training", settings_now, given)
    form, machines = tab.form, tab.machines
    refused(tab.launch.click(on_launch, [*given, *slurm], tab.view, **QUIET), "qt-launched")
    form.find_rate.click(
        on_find_rate,
        given,
        [tab.view, tab.testing, tab.poll, form.find_rate, form.rate_note],
        **QUIET,
    )
    tab.poll.tick(
        on_poll,
        tab.testing,
        [tab.settings.learning_rate, form.rate_note, tab.poll, form.find_rate],
        **QUIET,
    )
    machines.write.click(
        on_write,
        [machines.count, machines.each, *given],
        [machines.note, machines.shown, *machines.texts],
        **QUIET,
    )
