"""The Freeze tab: the selector, what it trains, its price and its exports.

Ticks, counts and bars are the browser's; every action on a plan is a server function
(`freeze_actions`). What this module wires is the way between the selector and the plan in force:

    browser  --edits-->  read_edit  -->  header.plan, seen  --change-->  value_for  -->  selector

The browser alone writes `edits` and Python alone the selector's value: where both wrote one value,
the answer to one edit could overwrite the next edit before it was read. An answer names the edit
that its plan was read from, and the browser drops answers to older edits than its last.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from qwen_ui.errors import PlanError
from qwen_ui.files import parse_json
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.ui.freeze.actions import plan_of
from qwen_ui.ui.freeze.selection_data import ranges_of
from qwen_ui.ui.freeze.selector import edits, selector
from qwen_ui.ui.page import QUIET, guarded

if TYPE_CHECKING:
    from qwen_ui.ui.page import Header, Session


@dataclass(frozen=True, slots=True)
class Seen:
    """The plan that the last edit of the browser gave. Attributes: the edit's number, the plan."""

    edit: int = 0
    plan: FreezePlan = field(default_factory=FreezePlan)


@dataclass(frozen=True, slots=True)
class FreezeTab:
    """The tab's components.

    Attributes:
        selector: its value is JSON that Python writes, see `value_for`.
        edits: its value is JSON that the browser writes: {edit, source, ranges, name}.
        seen: `Seen`.
    """

    selector: gr.HTML
    edits: gr.HTML
    seen: gr.State


def build(session: Session) -> FreezeTab:
    """The tab's components, not yet connected."""
    return FreezeTab(selector(session), edits(), gr.State(Seen()))


def wire(tab: FreezeTab, header: Header, session: Session) -> None:
    """Connect the selector with the model and the plan in force."""

    @guarded
    def on_edit(value: str) -> tuple[FreezePlan, Seen]:
        seen = read_edit(session, value)
        return seen.plan, seen

    @guarded
    def follow(source: str, plan: FreezePlan, seen: Seen) -> str:
        return value_for(session, source, plan, seen)

    tab.edits.input(
        on_edit,
        tab.edits,
        [header.plan, tab.seen],
        trigger_mode="always_last",
        queue=True,
        **QUIET,
    )
    gr.on(
        [header.model.change, header.plan.change],
        follow,
        [header.model, header.plan, tab.seen],
        tab.selector,
        trigger_mode="always_last",
        **QUIET,
    )


def read_edit(session: Session, value: str) -> Seen:
    """The canonical plan of what was ticked, with the number of the edit.

    Raises:
        PlanError: the value is none that the selector sends.
    """
    sent = read_value(value)
    anatomy = session.anatomy(str(sent.get("source", "")))
    plan = plan_of(anatomy, str(sent.get("ranges", "")), str(sent.get("name", "")))
    return Seen(int(sent.get("edit", 0)), plan)


def value_for(session: Session, source: str, plan: FreezePlan, seen: Seen) -> str:
    """What the browser is told: the selection that the plan means on this model, and its notes.

    JSON: {edit, source, name, ranges, warnings, problem}; `edit` is null where the plan came from
    elsewhere than the selector.
    """
    if not source:
        return ""
    anatomy = session.anatomy(source)
    told: dict[str, Any] = {
        "edit": seen.edit if plan == seen.plan else None,
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
    """What the selector sends, {} before it has sent anything."""
    if not value:
        return {}
    try:
        read = parse_json(value)
    except ValueError as error:
        raise PlanError("The selection was not understood. Reload the page.") from error
    if not isinstance(read, dict):
        raise PlanError("The selection was not understood. Reload the page.")
    return read
