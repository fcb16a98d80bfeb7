"""The header: which model, its facts, and the plan that is in force. It stays in view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr

from qwen_ui.errors import PlanError, UserError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.markup import render
from qwen_ui.model import DEFAULT_MODEL, preset_models
from qwen_ui.ui.page.facts import facts_html
from qwen_ui.ui.page.guard import guarded, warn
from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.session import Session
from qwen_ui.ui.page.templates import mount_point

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Header:
    """The header's components.

    Attributes:
        picker: where a person names a model; only the header listens to it.
        model: the last model that opened well; "" until the page is loaded.
        plan: the plan in force, a `FreezePlan`.
        facts: the strip of facts.
        summary: the plan in one sentence.
        along: components that need not wait for the model's change, each with (model, plan) ->
            its value: they are written in the same answer as the model.
    """

    picker: gr.Dropdown
    model: gr.State
    plan: gr.State
    facts: gr.HTML
    summary: gr.HTML
    along: list[tuple[gr.components.Component, Callable[[str, FreezePlan], Any]]] = field(
        default_factory=list
    )


def default_plan() -> FreezePlan:
    """The plan that a page opens with."""
    return preset("attention")


def build(session: Session) -> Header:
    """The header's components, not yet connected."""
    model = gr.State("")
    plan = gr.State(FreezePlan())
    with gr.Row(elem_id="q-header"):
        gr.HTML(render("page/brand.html"), elem_id="q-brand", padding=False)
        picker = gr.Dropdown(
            choices=list(preset_models()),
            value=DEFAULT_MODEL,
            allow_custom_value=session.limits is None,
            label="Model: a preset, a folder with a config.json, or a hub id"
            if session.limits is None
            else "Model: one of the bundled ones",
            show_label=False,
            container=False,
            elem_id="q-picker",
            min_width=260,
        )
        facts = gr.HTML(render("page/waiting.html", text="Opening the model …"), elem_id="q-facts")
        gr.HTML(
            mount_point("q-language"),
            elem_id="q-language",
            js_on_load=mounted_by("page/language_switch.js"),
            padding=False,
        )
        gr.HTML(
            render("page/switches.html"),
            js_on_load=mounted_by("page/switches.js"),
            apply_default_css=False,
            elem_id="q-switches",
            padding=False,
        )
    if session.limits is not None:
        notice = render("page/public.html", limits=session.limits)
        gr.HTML(notice, elem_id="q-public", padding=False)
    summary = gr.HTML("", elem_id="q-summary")
    return Header(picker, model, plan, facts, summary)


def wire(header: Header, demo: gr.Blocks, session: Session) -> None:
    """Connect the header: page load, the picker, and the sentence that follows model and plan."""

    def on_load(request: gr.Request) -> tuple[Any, ...]:
        source = _or_warn(
            lambda name: session.anatomy(name).source,
            request.query_params.get("model"),
            DEFAULT_MODEL,
        )
        plan = _or_warn(FreezePlan.from_json, request.query_params.get("plan"), default_plan())
        session.warm_up()
        return source, plan, *shown(source, plan)

    @guarded
    def on_pick(source: str | None, plan: FreezePlan) -> tuple[Any, ...]:
        return shown((source or "").strip(), plan)

    def shown(source: str, plan: FreezePlan) -> tuple[Any, ...]:
        facts = facts_html(session.anatomy(source))
        return source, facts, *(value(source, plan) for _, value in header.along)

    def on_change(source: str, plan: FreezePlan) -> str:
        return summary_html(session, source, plan)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    follow = [header.model, header.facts, *(component for component, _ in header.along)]
    demo.load(guarded(on_load), None, [header.picker, header.plan, *follow], **quiet)
    # `input` fires for a person's choice alone: setting the picker on load opens nothing twice.
    header.picker.input(on_pick, [header.picker, header.plan], follow, **quiet)
    gr.on(
        [header.model.change, header.plan.change],
        on_change,
        [header.model, header.plan],
        header.summary,
        trigger_mode="always_last",
        **quiet,
    )


def _or_warn(read: Callable[[str], T], text: str | None, default: T) -> T:
    """What a link's text means; the default, and a warning, where it means nothing."""
    if not text:
        return default
    try:
        return read(text)
    except UserError as error:
        warn(error, title="The link could not be followed")
        return default


def summary_html(session: Session, source: str, plan: FreezePlan) -> str:
    """The plan in one sentence, or why it trains nothing here."""
    if not source:
        return ""
    try:
        return selection_html(resolve(plan, session.anatomy(source)))
    except PlanError as error:
        return render("page/summary.html", problem=str(error))


def selection_html(selection: Selection) -> str:
    """The selection's sentence with its sign."""
    names, text = selection.names, selection.summary
    return render("page/summary.html", problem="", trains=bool(names), text=text)
