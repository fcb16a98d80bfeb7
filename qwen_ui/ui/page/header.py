"""The header: which model, its facts, and the plan that is in force. It stays in view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr

from qwen_ui.errors import PlanError, UserError
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.markup import render
from qwen_ui.model import DEFAULT_MODEL, preset_models
from qwen_ui.ui.page.event_options import QUIET
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
class Follower:
    """A component that tells something of the model and the plan in force, without asking long.

    Attributes:
        component: where it is told.
        value: (model, plan) -> the component's value.
        of_plan: whether another plan of the same model changes it.
    """

    component: gr.components.Component
    value: Callable[[str, FreezePlan], Any]
    of_plan: bool


@dataclass(frozen=True, slots=True)
class Header:
    """The header's components.

    Each event of gradio's costs the browser some milliseconds for every component that an event
    ever wrote to. So what follows model or plan quickly follows in one event (`follow`), and only
    what takes long or needs a form's values listens to `model.change` or `plan.change` itself.

    Attributes:
        picker: where a person names a model; only the header listens to it.
        model: the last model that opened well; "" until the page is loaded.
        plan: the plan in force, a `FreezePlan`.
        reason: why what was named is not open; "" where it is.
        wishes: what the page's scripts ask of model and plan (`wishes.py`).
        facts: the strip of facts.
        summary: the plan in one sentence.
        followers: written in the same answer as the model, or in one answer to a change of plan.
        found_again: components that a new page finds something in (the last run), each with
            (what the page's address asks for) -> its value.
    """

    picker: gr.Dropdown
    model: gr.State
    plan: gr.State
    reason: gr.HTML
    wishes: gr.HTML
    facts: gr.HTML
    summary: gr.HTML
    followers: list[Follower] = field(default_factory=list)
    found_again: list[tuple[gr.components.Component, Callable[[Mapping[str, str]], str]]] = field(
        default_factory=list
    )

    def follow(
        self,
        component: gr.components.Component,
        value: Callable[[str, FreezePlan], Any],
        *,
        of_plan: bool = True,
    ) -> None:
        """Have a component tell `value(model, plan)` from now on; see `Follower`."""
        self.followers.append(Follower(component, value, of_plan))


def default_plan() -> FreezePlan:
    """The plan that a page opens with."""
    return preset("attention")


def build(session: Session) -> Header:
    """The header's components, not yet connected."""
    model = gr.State("")
    # As the page opens with it: a plan that changes at once would have all that follows it do its
    # work twice.
    plan = gr.State(default_plan())
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
    header.follow(summary, partial(summary_html, session))
    header.follow(build_address(), in_address)
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
        return named, "", source, facts, *told(header.followers, source, plan)

    def stays(error: UserError, source: str) -> tuple[Any, ...]:
        """What is open stays open, and is named; the reason stands under it."""
        said = paragraph(own_words(str(error)), "q-reason")
        return picker_of(source), said, *(gr.skip() for _ in range(2 + len(header.followers)))

    @guarded
    def on_plan(source: str, plan: FreezePlan) -> list[Any]:
        return told(of_plan, source, plan)

    @guarded
    def found_again(request: gr.Request) -> list[str]:
        return [value(request.query_params) for _, value in header.found_again]

    of_plan = [follower for follower in header.followers if follower.of_plan]
    written = [follower.component for follower in header.followers]
    follow = [header.picker, header.reason, header.model, header.facts, *written]
    demo.load(guarded(on_load), None, [header.plan, *follow], **QUIET)
    # `input` fires for a person's choice alone: setting the picker on load opens nothing twice.
    in_force = [header.model, header.plan]
    header.picker.input(on_pick, [header.picker, *in_force], follow, **QUIET)
    header.wishes.input(on_wish, [header.wishes, *in_force], [header.plan, *follow], **QUIET)
    header.plan.change(
        on_plan,
        in_force,
        [follower.component for follower in of_plan],
        trigger_mode="always_last",
        **QUIET,
    )
    demo.load(found_again, None, [component for component, _ in header.found_again], **QUIET)


def told(followers: Sequence[Follower], source: str, plan: FreezePlan) -> list[Any]:
    """The followers' values."""
    return [follower.value(source, plan) for follower in followers]


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
