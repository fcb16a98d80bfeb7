"""The price of the run that the Train tab's form describes, told anew at every change of it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from qwen_ui.errors import UserError
from qwen_ui.freeze import FreezePlan
from qwen_ui.model import length_note
from qwen_ui.ui.page import NONE, QUIET, Header, Session, guarded
from qwen_ui.ui.train.components import TrainTab
from qwen_ui.ui.train.price import needs, price_html, priced_model, unpriced_html
from qwen_ui.ui.train.slurm_fields import SLURM
from qwen_ui.workers import find_devices


def wire_price(tab: TrainTab, header: Header, session: Session) -> None:
    """Tell what the run needs and what is free when model, plan or a setting changes."""
    priced = (
        "keep",
        "steps",
        "batch_size",
        "sequence_length",
        "gradient_accumulation_steps",
        "optimizer",
        "early_stopping_patience",
        "dtype",
        "prefix",
        "gradient_checkpointing",
        "optimizer_offload",
    )
    watched: list[Any] = [
        tab.settings.device,
        tab.settings.processes,
        tab.slurm.where,
        tab.slurm.gpus,
        *(getattr(tab.settings, name) for name in priced),
    ]

    @guarded
    def on_change(
        source: str,
        plan: FreezePlan,
        device: str,
        processes: int,
        where: str,
        gpus: int | None,
        *values: Any,
    ) -> str:
        if not source:
            return ""
        found = find_devices(device)
        on_slurm = where == SLURM
        kind = ("cuda" if gpus else "cpu") if on_slurm else found.kind
        # An empty field counts as the setting's default.
        given = {n: v for n, v in zip(priced, values, strict=True) if v not in {None, NONE}}
        length = int(given.get("sequence_length", 128))
        free = None if on_slurm else found.free_bytes
        given["processes"] = 1 if on_slurm else int(processes or 1)
        try:
            model = priced_model(session, source, plan)
            need = needs(session, model, plan, kind=kind, free=free, **given)
        except UserError as error:
            return unpriced_html(error)
        note = length_note(session.anatomy(model), length)
        if on_slurm:
            return price_html(need, None, 1, SLURM, note)
        return price_html(need, free, int(processes or 1), found.label, note)

    gr.on(
        [header.model.change, header.plan.change, *(component.change for component in watched)],
        on_change,
        [header.model, header.plan, *watched],
        tab.price,
        trigger_mode="always_last",
        **QUIET,
    )
