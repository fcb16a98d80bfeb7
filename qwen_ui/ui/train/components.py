"""The Train tab's components: form, price, launch, and the view of the run."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from qwen_ui.ui.page import (
    BAR,
    PermitButton,
    Session,
    build_launch_state,
    build_permit_button,
    build_run_view,
    paragraph,
)
from qwen_ui.ui.train.machines import Machines, build_machines
from qwen_ui.ui.train.settings import Form, Settings, build_form
from qwen_ui.ui.train.slurm_fields import SlurmFields, build_slurm_fields

RATE_POLL_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class TrainTab:
    """The tab's components.

    Attributes:
        what: which model trains, what of it, and the suggested rate.
        form: the settings, with preview and learning-rate finder.
        machines: what starts the run on several machines.
        slurm: where it is launched, and what is asked of Slurm.
        trains: which model would run.
        price: what the run needs and what is free.
        launch: the one primary button.
        waits: why it cannot be pressed; empty where it can.
        permit: lets a program launch the same.
        suggested: the rate suggested last, None where the plan trains nothing.
        testing: the run of the learning-rate finder, "" for none.
        poll: ticks while it does.
        view: the run, drawn by `page/static/run_view.js`; its value is the run's name.
    """

    what: gr.HTML
    form: Form
    machines: Machines
    slurm: SlurmFields
    trains: gr.HTML
    price: gr.HTML
    launch: gr.Button
    waits: gr.HTML
    permit: PermitButton
    suggested: gr.State
    testing: gr.State
    poll: gr.Timer
    view: gr.HTML

    @property
    def settings(self) -> Settings:
        return self.form.settings


def build(session: Session) -> TrainTab:
    """The tab's components, not yet connected."""
    with gr.Row(elem_id="qt-main"):
        with gr.Column(elem_id="qt-form", scale=0):
            what = gr.HTML(
                paragraph("Waiting for a model …", "qt-what qt-note"),
                elem_id="qt-what",
            )
            form = build_form()
            machines = build_machines(session)
            slurm = build_slurm_fields(session)
            permit = build_permit_button("qt-permit", session)
        with gr.Column(elem_id="qt-side"):
            view = build_run_view("qt-run")
    with gr.Row(elem_id="qt-bar", elem_classes=BAR):
        launch = gr.Button("Launch", variant="primary", elem_id="qt-launch", min_width=160)
        build_launch_state("qt-launched", ["qt-launch"], "qt-run")
        waits = gr.HTML("", apply_default_css=False, elem_id="qt-waits")
        trains = gr.HTML("", apply_default_css=False, elem_id="qt-trains")
        price = gr.HTML("", apply_default_css=False, elem_id="qt-price")
    suggested, testing = gr.State(None), gr.State("")
    poll = gr.Timer(RATE_POLL_SECONDS, active=False)
    return TrainTab(
        *(what, form, machines, slurm, trains, price, launch, waits, permit),
        *(suggested, testing, poll, view),
    )
