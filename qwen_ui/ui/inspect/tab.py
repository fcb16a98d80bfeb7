"""The Inspect tab: the module tree, what the selected module is, and what lies below."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from qwen_ui.freeze import FreezePlan
from qwen_ui.model import DEFAULT_MODEL
from qwen_ui.ui.inspect import more as inspect_more
from qwen_ui.ui.inspect.actions import server_functions
from qwen_ui.ui.inspect.more import More
from qwen_ui.ui.inspect.verifying import build_verifying
from qwen_ui.ui.page import Header, Session, default_plan, mounted_by, render


@dataclass(frozen=True, slots=True)
class InspectTab:
    """The tab's components.

    Attributes:
        tree: search, tree and panel; its value names model and plan (JSON), its DOM is
            JavaScript's.
        more: what lies below.
        verifying: a checkpoint held against the model; its value is as the tree's.
    """

    tree: gr.HTML
    more: More
    verifying: gr.HTML


def build(session: Session) -> InspectTab:
    """The tab's components, not yet connected."""
    tree = gr.HTML(
        _shown(DEFAULT_MODEL, default_plan(), first=True),
        html_template=render("inspect/shell.html"),
        js_on_load=mounted_by("inspect/inspector.js", fires_drawn=True),
        apply_default_css=False,
        elem_id="qi-main",
        server_functions=server_functions(session),
    )
    shown = _shown(DEFAULT_MODEL, default_plan())
    return InspectTab(tree, inspect_more.build(session), build_verifying(shown, session))


def wire(tab: InspectTab, header: Header, session: Session) -> None:
    """Reload the tree and what lies below when another model was opened, mark what trains."""
    header.follow(tab.tree, _shown)
    header.follow(tab.verifying, _shown)
    inspect_more.wire(tab.more, header, session, tab.tree)


def _shown(source: str, plan: FreezePlan, *, first: bool = False) -> str:
    """What the tree shows, as JSON.

    `first` marks the value that the page comes with. The tree need not wait for the header then,
    unless a link names another model.
    """
    return json.dumps({"source": source, "plan": plan.to_json(), "first": first})
