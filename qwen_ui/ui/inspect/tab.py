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
from qwen_ui.ui.page import Header, Session, default_plan, mounted_by

_SHELL = """
<div class="qi-inspector">
  <div class="qi-left">
    <div class="qi-tools">
      <input class="qi-query" type="search" aria-label="Search modules and tensors"
        placeholder="Search: q_proj, role:norm, kind:self_attn.q_proj.bias" autocomplete="off"
        spellcheck="false">
      <button class="qi-tool qi-regex" type="button" aria-pressed="false"
        aria-label="Regular expression"
        title="Treat the search as a regular expression over full names">.*</button>
      <button class="qi-tool qi-open" type="button">Expand all</button>
      <button class="qi-tool qi-close" type="button">Collapse all</button>
    </div>
    <div class="qi-found" role="status" aria-live="polite">Waiting for a model …</div>
    <div class="qi-head" aria-hidden="true">
      <span></span><span>module or tensor</span><span>class or shape</span><span>parameters</span>
      <span>bytes</span><span>share</span><span></span>
    </div>
    <div class="qi-tree" role="tree" tabindex="0" aria-label="Module tree">
      <div class="qi-canvas" role="presentation"></div>
    </div>
  </div>
  <section class="qi-panel" aria-label="Selected module" tabindex="0">
    <div class="qi-detail"></div>
    <figure class="qi-diagram"><figcaption></figcaption><div class="qi-picture"></div></figure>
    <div class="qi-below"></div>
  </section>
</div>
"""


@dataclass(frozen=True, slots=True)
class InspectTab:
    """The tab's components.

    Attributes:
        tree: search, tree and panel; its value names model and plan (JSON), its DOM is
            JavaScript's.
        more: what lies below.
    """

    tree: gr.HTML
    more: More


def build(session: Session) -> InspectTab:
    """The tab's components, not yet connected."""
    tree = gr.HTML(
        _shown(DEFAULT_MODEL, default_plan(), first=True),
        html_template=_SHELL,
        js_on_load=mounted_by("inspect/inspector.js", fires_load=True),
        apply_default_css=False,
        elem_id="qi-main",
        server_functions=server_functions(session),
    )
    return InspectTab(tree, inspect_more.build())


def wire(tab: InspectTab, header: Header, session: Session) -> None:
    """Reload the tree and what lies below when another model was opened, mark what trains."""
    header.along.append((tab.tree, _shown))
    header.plan.change(
        _shown,
        [header.model, header.plan],
        tab.tree,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    inspect_more.wire(tab.more, header, session, tab.tree)


def _shown(source: str, plan: FreezePlan, *, first: bool = False) -> str:
    """What the tree shows, as JSON.

    `first` marks the value that the page comes with. The tree need not wait for the header then,
    unless a link names another model.
    """
    return json.dumps({"source": source, "plan": plan.to_json(), "first": first})
