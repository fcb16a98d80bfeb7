"""For several machines: a script, a command and a configuration to copy; nothing starts here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from qwen_ui.runs import RunSpec
from qwen_ui.ui.page import Session, paragraph, render
from qwen_ui.visits import DO_IT_YOURSELF
from qwen_ui.workers import write_for_cluster


@dataclass(frozen=True, slots=True)
class Machines:
    """The panel's components; `shown` and `texts` are hidden until something was written."""

    count: gr.Number
    each: gr.Number
    write: gr.Button
    note: gr.HTML
    shown: gr.Column
    texts: tuple[gr.Textbox, gr.Textbox, gr.Textbox]


def build_machines(session: Session) -> Machines:
    """Two numbers and a button; below them, once pressed, what to copy."""
    here = session.limits is None
    with gr.Accordion("On several machines", open=False, elem_id="qt-machines"):
        if not here:
            gr.HTML(paragraph(f"Off on this public dashboard. {DO_IT_YOURSELF}", "qt-note"))
        with gr.Row(visible=here):
            count = gr.Number(2, label="Machines", precision=0, minimum=1, min_width=86)
            each = gr.Number(8, label="GPUs on each", precision=0, minimum=1, min_width=86)
        write = gr.Button("Write the launch files", size="sm", visible=here)
        note = gr.HTML("", apply_default_css=False)
        with gr.Column(visible=False) as shown:
            # gradio's code editor would be 0.4 MB of scripts on every opening of the page.
            made = [
                gr.Textbox(
                    label=label,
                    lines=3,
                    max_lines=12,
                    interactive=False,
                    buttons=["copy"],
                    elem_classes="qt-script",
                )
                for label in ("Slurm script", "Command", "Accelerate configuration")
            ]
    return Machines(count, each, write, note, shown, (made[0], made[1], made[2]))


def written(spec: RunSpec, machines: float | None, each: float | None) -> tuple[Any, ...]:
    """(note, column, three texts) after the button was pressed."""
    made = write_for_cluster(spec, nodes=int(machines or 1), gpus_per_node=int(each or 1))
    note = render("train/machines.html", folder=made.folder)
    return note, gr.Column(visible=True), made.slurm, made.command, made.accelerate
