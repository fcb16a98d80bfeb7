"""The Train tab: what trains, on what data, with which settings; launch, and watch the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import gradio as gr

from qwen_ui.engine import check_spec_within_limits
from qwen_ui.freeze import FreezePlan
from qwen_ui.ui.page import (
    OWN,
    QUIET,
    Header,
    Session,
    check_choice,
    guarded,
    paragraph,
    runs_html,
    shown_with_own,
    trained_model,
    wire_keep,
)
from qwen_ui.ui.train.components import TrainTab, build
from qwen_ui.ui.train.form import (
    intent,
    latest_run,
    spec_of,
    waits_for,
)
from qwen_ui.ui.train.launching import wire_launch
from qwen_ui.ui.train.previewing import wire_preview
from qwen_ui.ui.train.pricing import wire_price
from qwen_ui.ui.train.settings import Settings
from qwen_ui.ui.train.slurm_fields import SLURM, shown_fields
from qwen_ui.workers import find_devices

if TYPE_CHECKING:
    from qwen_ui.runs import RunSpec

__all__ = ["build", "wire"]


def wire(tab: TrainTab, header: Header, session: Session) -> None:
    """Connect the form to the header's model and plan, and the buttons to workers."""
    names = [field.name for field in fields(Settings)]

    def asked(source: str, plan: FreezePlan, values: tuple[Any, ...]) -> RunSpec:
        form = dict(zip(names, values, strict=True))
        model = trained_model(session, source, plan)
        spec = spec_of(form, model, plan)
        check_spec_within_limits(spec)
        return spec

    fields_of = tab.settings
    wire_keep(header, session, fields_of.data, fields_of.keep, fields_of.keep_upload)
    _wire_intent(tab, header, session)
    wire_preview(tab, header, session)
    wire_price(tab, header, session)
    header.follow(tab.trains, lambda source, _: runs_html(session, source), of_plan=False)
    wire_launch(tab, header, session, asked)
    header.found_again.append((tab.view, linked_or_latest_run))
    tab.settings.data.change(
        lambda choice: (*shown_with_own(choice), gr.File(visible=choice == OWN)),
        tab.settings.data,
        [tab.settings.upload, tab.settings.columns, tab.settings.eval_upload],
        **QUIET,
    )


def linked_or_latest_run(asked: Mapping[str, str]) -> str:
    """The run that the tab opens with, by what the page's address asks for."""
    return (asked.get("run") if asked.get("tab") == "train" else "") or latest_run()


def _wire_intent(tab: TrainTab, header: Header, session: Session) -> None:
    settings = tab.settings

    # gradio gives components their events at run time.
    watched: list[Any] = [
        *(settings.data, settings.upload, settings.columns, settings.eval_upload),
        *(settings.sequence_length, settings.packing),
        *(settings.keep, settings.keep_upload),
    ]

    def readiness(rate: float | None, source: str, *values: Any) -> tuple[Any, ...]:
        """(note under the data, why a launch waits, launch, learning-rate finder)."""
        choice, upload, columns, held_out, length, packing, keep, keep_upload = values
        checked = check_choice(
            session,
            source,
            choice,
            upload,
            columns,
            eval_upload=held_out,
            keep=keep,
            keep_upload=keep_upload,
            length=length,
            packing=packing,
        )
        waits = waits_for(rate is not None, checked.usable) if source else ""
        ready = gr.Button(interactive=rate is not None and checked.usable)
        return checked.text, paragraph(waits, "qt-note"), ready, ready

    sizes: list[Any] = [settings.steps, settings.batch_size]

    @guarded
    def on_change(
        source: str, plan: FreezePlan, steps: float | None, batch: float | None, *values: Any
    ) -> tuple[Any, ...]:
        found = intent(session, source, plan, steps, batch)
        return found.text, found.rate, found.rate, *readiness(found.rate, source, *values)

    @guarded
    def on_size(
        source: str,
        plan: FreezePlan,
        steps: float | None,
        batch: float | None,
        rate: float | None,
        suggested: float | None,
    ) -> tuple[Any, ...]:
        """Another length wants another rate; one that a person wrote or found stays."""
        found = intent(session, source, plan, steps, batch)
        kept = rate is not None and rate != suggested
        return found.text, gr.skip() if kept else found.rate, found.rate

    @guarded
    def on_data(
        source: str, plan: FreezePlan, steps: float | None, batch: float | None, *values: Any
    ) -> tuple[Any, ...]:
        return readiness(intent(session, source, plan, steps, batch).rate, source, *values)

    @guarded
    def on_device(source: str, asked: str, processes: int, where: str) -> tuple[Any, ...]:
        found = find_devices(asked)
        choices = list(found.process_choices)
        value = processes if processes in choices else 1
        return (
            gr.Dropdown(choices, value=value, interactive=len(choices) > 1),
            gr.Button(f"Launch on {SLURM if where == SLURM else found.label}"),
        )

    gr.on(
        [header.model.change, header.plan.change],
        on_change,
        [header.model, header.plan, *sizes, *watched],
        [
            *(tab.what, settings.learning_rate, tab.suggested),
            *(tab.form.data_note, tab.waits, tab.launch, tab.form.find_rate),
        ],
        trigger_mode="always_last",
        **QUIET,
    )
    gr.on(
        [component.change for component in sizes],
        on_size,
        [header.model, header.plan, *sizes, settings.learning_rate, tab.suggested],
        [tab.what, settings.learning_rate, tab.suggested],
        trigger_mode="always_last",
        **QUIET,
    )
    gr.on(
        [component.change for component in watched],
        on_data,
        [header.model, header.plan, *sizes, *watched],
        [tab.form.data_note, tab.waits, tab.launch, tab.form.find_rate],
        trigger_mode="always_last",
        **QUIET,
    )
    gr.on(
        [header.model.change, settings.device.change, tab.slurm.where.change],
        on_device,
        [header.model, settings.device, settings.processes, tab.slurm.where],
        [settings.processes, tab.launch],
        **QUIET,
    )
    tab.slurm.where.change(
        shown_fields, tab.slurm.where, [tab.slurm.asked, tab.slurm.partition], **QUIET
    )
    settings.processes.change(
        lambda count: gr.Checkbox(visible=count > 1), settings.processes, settings.sharded, **QUIET
    )
