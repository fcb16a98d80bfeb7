"""The button by which a person lets a program launch what the form says, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from qwen_ui.ui.page.event_options import QUIET
from qwen_ui.ui.page.guard import guarded
from qwen_ui.ui.page.permits import LIFETIME_SECONDS, Kind
from qwen_ui.ui.page.session import Session
from qwen_ui.visits import refuse

LABEL = "Allow a program to launch this once"
_INFO = (
    f"For gradio's client or an MCP client. It works once, within {LIFETIME_SECONDS / 60:.0f} "
    "minutes, for the settings as they are now."
)


@dataclass(frozen=True, slots=True)
class PermitButton:
    """The button, and the token that it makes."""

    button: gr.Button
    token: gr.Textbox


def build_permit_button(elem_id: str, session: Session) -> PermitButton:
    """Both, the token out of sight until there is one; none on a public dashboard."""
    shown = session.limits is None
    button = gr.Button(
        LABEL,
        size="sm",
        variant="secondary",
        elem_id=elem_id,
        elem_classes="q-permit",
        visible=shown,
    )
    token = gr.Textbox(
        "",
        label="Token",
        info=_INFO,
        visible=False,
        interactive=False,
        buttons=["copy"],
        elem_id=f"{elem_id}-token",
    )
    return PermitButton(button, token)


def wire_permit_button(
    permit: PermitButton,
    session: Session,
    kind: Kind,
    settings_of: Callable[..., dict[str, Any]],
    inputs: Sequence[Any],
) -> None:
    """Give a token for what `settings_of` makes of the inputs at the moment of the click."""

    @guarded
    def on_click(*values: Any) -> Any:
        refuse("Launching by a program")
        return gr.Textbox(session.permits.give(kind, settings_of(*values)), visible=True)

    permit.button.click(
        on_click,
        list(inputs),
        permit.token,
        **QUIET,
    )
