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
from qwen_ui.ui.page.given_model import shown_name
from qwen_ui.ui.page.guard import guarded, own_words, warn
from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.next_steps import build_guide
from qwen_ui.ui.page.session import Session
from qwen_ui.ui.page.templates import mount_point, paragraph
from qwen_ui.ui.page.wishes import (
    build_address,
    build_wishes,
    granted,
    in_address,
    linked_plan,
    read_wish,
)

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
        reason: why what was named is not open; "" where it is.
        wishes: what the page's scripts ask of model and plan (`wishes.py`).
        facts: the strip of facts.
        summary: the plan in one sentence.
        along: components that need not wait for the model's change, each with (model, plan) ->
            its value: they are written in the same answer as the model.
    """

    picker: gr.Dropdown
    model: gr.State
    plan: gr.State
    reason: gr.HTML
    wishes: gr.HTML
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
        with gr.Column(elem_id="q-model", min_width=200):
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
                min_width=200,
            )
            reason = gr.HTML("", apply_default_css=False, elem_id="q-reason")
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
        build_guide()
    if session.limits is not None:
        notice = render("page/public.html", limits=session.limits)
        gr.HTML(notice, elem_id="q-public", padding=False)
    summary = gr.HTML("", elem_id="q-summary")
    gr.HTML("", elem_id="q-welcome", padding=False)
    header = Header(picker, model, plan, reason, build_wishes(), facts, summary)
    header.along.append((build_address(), in_address))
    return header


def wire(header: Header, demo: gr.Blocks, session: Session) -> None:
    """Connect the header: page load, the picker, and the sentence that follows model and plan."""

    def on_load(request: gr.Request) -> tuple[Any, ...]:
        asked = request.query_params
        source = _or_warn(
            lambda name: session.anatomy(name).source, asked.get("model"), DEFAULT_MODEL
        )
        plan = _or_warn(linked_plan, asked.get("plan"), default_plan())
        session.warm_up()
        return plan, *shown(source, plan)

    @guarded
    def on_pick(picked: str | None, source: str, plan: FreezePlan) -> tuple[Any, ...]:
        try:
            return shown(session.anatomy((picked or "").strip()).source, plan)
        except UserError as error:
            return stays(error, source)

    @guarded
    def on_wish(value: str, source: str, plan: FreezePlan) -> tuple[Any, ...]:
        try:
            anatomy, wished = granted(session, read_wish(value), source, plan)
        except UserError as error:
            return gr.skip(), *stays(error, source)
        return wished, *shown(anatomy.source, wished)

    def shown(source: str, plan: FreezePlan) -> tuple[Any, ...]:
        facts = facts_html(session.anatomy(source))
        named = picker_of(source)
        return named, "", source, facts, *(value(source, plan) for _, value in header.along)

    def stays(error: UserError, source: str) -> tuple[Any, ...]:
        """What is open stays open, and is named; the reason stands under it."""
        said = paragraph(own_words(str(error)), "q-reason")
        return picker_of(source), said, *(gr.skip() for _ in range(2 + len(header.along)))

    def on_change(source: str, plan: FreezePlan) -> str:
        return summary_html(session, source, plan)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    along = [component for component, _ in header.along]
    follow = [header.picker, header.reason, header.model, header.facts, *along]
    demo.load(guarded(on_load), None, [header.plan, *follow], **quiet)
    # `input` fires for a person's choice alone: setting the picker on load opens nothing twice.
    in_force = [header.model, header.plan]
    header.picker.input(on_pick, [header.picker, *in_force], follow, **quiet)
    header.wishes.input(on_wish, [header.wishes, *in_force], [header.plan, *follow], **quiet)
    address, told = header.along[0]
    header.plan.change(told, in_force, address, trigger_mode="always_last", **quiet)
    gr.on(
        [header.model.change, header.plan.change],
        on_change,
        [header.model, header.plan],
        header.summary,
        trigger_mode="always_last",
        **quiet,
    )


def picker_of(source: str) -> gr.Dropdown:
    """The picker with this model chosen; a configuration of a person's own goes by its name."""
    choices = [(name, name) for name in preset_models()]
    if source not in preset_models():
        choices.append((shown_name(source), source))
    return gr.Dropdown(choices=choices, value=source)


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
