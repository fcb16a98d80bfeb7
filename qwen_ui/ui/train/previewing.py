"""The data of the Train tab's form, judged and shown at every change, and looked through."""

from __future__ import annotations

from typing import Any

import gradio as gr

from qwen_ui.errors import DataError
from qwen_ui.ui.page import OWN, QUIET, Header, Session, data_files, guarded
from qwen_ui.ui.train.components import TrainTab
from qwen_ui.ui.train.preview import SHOWN_SAMPLES, Shown, shown_data


def wire_preview(tab: TrainTab, header: Header, session: Session) -> None:
    """Show the data when they, the model or how they are read changes; two buttons turn pages."""
    settings, form = tab.settings, tab.form
    # gradio gives components their events at run time.
    watched: list[Any] = [
        settings.data,
        settings.upload,
        settings.sequence_length,
        settings.packing,
        settings.columns,
        settings.batch_size,
        settings.steps,
    ]
    shown_in = [form.verdict, form.preview, form.first, form.back, form.on]

    def look(
        first: int,
        source: str,
        choice: str,
        upload: str | None,
        length: float | None,
        packing: bool,
        columns: str,
        batch: float | None,
        steps: float | None,
    ) -> tuple[Any, ...]:
        if not source:
            return _components(Shown("", ""))
        try:
            data, _ = data_files(choice, upload)
        except DataError:
            data = None
        by_hand = columns.strip() if choice == OWN else ""
        return _components(
            shown_data(
                session,
                source,
                data,
                length,
                packing,
                by_hand or None,
                first=first,
                batch=batch,
                steps=steps,
            )
        )

    @guarded
    def on_change(source: str, *values: Any) -> tuple[Any, ...]:
        return look(0, source, *values)

    @guarded
    def on_back(first: int, source: str, *values: Any) -> tuple[Any, ...]:
        return look(max(0, first - SHOWN_SAMPLES), source, *values)

    @guarded
    def on_on(first: int, source: str, *values: Any) -> tuple[Any, ...]:
        return look(first + SHOWN_SAMPLES, source, *values)

    gr.on(
        [header.model.change, *(component.change for component in watched)],
        on_change,
        [header.model, *watched],
        shown_in,
        trigger_mode="always_last",
        **QUIET,
    )
    for button, handler in ((form.back, on_back), (form.on, on_on)):
        button.click(handler, [form.first, header.model, *watched], shown_in, **QUIET)


def _components(found: Shown) -> tuple[Any, ...]:
    """(verdict, tokens, place, earlier ones, later ones)."""
    return (
        found.verdict,
        found.tokens,
        found.first,
        gr.Button(interactive=found.first > 0),
        gr.Button(interactive=found.more),
    )
