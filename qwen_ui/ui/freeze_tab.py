"""The Freeze tab: the selector, what it trains, its price and its exports.

Ticks, counts and bars are the browser's; every action on a plan is a server function
(`freeze_actions`). What this module wires is the way between the selector and the plan in force:

    browser  --input-->  plan_of_value  -->  header.plan  --change-->  value_for  -->  browser

The value on the way back says which edit of the browser (`edit`) it has seen: an older answer than
the last edit is dropped there, so that a quick hand is never undone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan
from qwen_ui.ui.guard import guarded
from qwen_ui.ui.selector import selector

if TYPE_CHECKING:
    from qwen_ui.ui.header import Header
    from qwen_ui.ui.session import Session


@dataclass(frozen=True, slots=True)
class FreezeTab:
    """The tab's one component.

    Attributes:
        selector: its value is JSON: from the browser {edit, source, ranges, name}, from Python the
            same with `from: "page"`, the warnings and, where the plan trains nothing, the problem.
    """

    selector: gr.HTML


def build(session: Session) -> FreezeTab:
    """The tab's component, not yet connected."""
    return FreezeTab(selector(session))


def wire(tab: FreezeTab, header: Header, session: Session) -> None:
    """Connect the selector with the model and the plan in force."""

    @guarded
    def on_edit(value: str) -> FreezePlan:
        return plan_of_value(session, value)

    @guarded
    def follow(source: str, plan: FreezePlan, value: str) -> str:
        return value_for(session, source, plan, value)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.selector.input(
        on_edit, tab.selector, header.plan, trigger_mode="always_last", queue=True, **quiet
    )
    gr.on(
        [header.model.change, header.plan.change],
        follow,
        [header.model, header.plan, tab.selector],
        tab.selector,
        trigger_mode="always_last",
        **quiet,
    )


def plan_of_value(session: Session, value: str) -> FreezePlan:
    """The canonical plan of what was ticked.

    Raises:
        PlanError: the value is none that the selector sends.
    """
    from qwen_ui.ui.freeze_actions import plan_of

    sent = read_value(value)
    anatomy = session.anatomy(str(sent.get("source", "")))
    return plan_of(anatomy, str(sent.get("ranges", "")), str(sent.get("name", "")))


def value_for(session: Session, source: str, plan: FreezePlan, value: str) -> str:
    """What the browser is told: the selection that the plan means on this model, and its notes."""
    from qwen_ui.freeze import resolve
    from qwen_ui.ui.selector_data import ranges_of

    if not source:
        return value
    anatomy = session.anatomy(source)
    told: dict[str, Any] = {
        "from": "page",
        "edit": read_value(value).get("edit", 0),
        "source": source,
        "name": plan.name,
    }
    try:
        selection = resolve(plan, anatomy)
    except PlanError as error:
        return json.dumps(told | {"ranges": "", "warnings": [], "problem": str(error)})
    notes = list(selection.warnings)
    return json.dumps(
        told | {"ranges": ranges_of(anatomy, selection.names), "warnings": notes, "problem": ""}
    )


def read_value(value: str | None) -> dict[str, Any]:
    """The selector's value, {} before it has one."""
    if not value:
        return {}
    try:
        read = json.loads(value)
    except ValueError as error:
        raise PlanError("The selection was not understood. Reload the page.") from error
    if not isinstance(read, dict):
        raise PlanError("The selection was not understood. Reload the page.")
    return read
