"""The Inspect tab: the module tree, what the selected module is, and what lies below."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from qwen_ui.errors import ModelError, UserError
from qwen_ui.freeze import FreezePlan
from qwen_ui.model import DEFAULT_MODEL
from qwen_ui.ui.inspect import more as inspect_more
from qwen_ui.ui.inspect.more import More
from qwen_ui.ui.page.header import Header, default_plan
from qwen_ui.ui.page.session import Session

_SHELL = """
<div class="qi-inspector">
  <div class="qi-left">
    <div class="qi-tools">
      <input class="qi-query" type="search" aria-label="Search modules and tensors"
        placeholder="Search: q_proj, role:norm, kind:self_attn.q_proj.bias" autocomplete="off"
        spellcheck="false">
      <button class="qi-tool qi-regex" type="button" aria-pressed="false"
        aria-label="Regular expression"
        title="Read the search as a regular expression over full names">.*</button>
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
_MOUNT = "window.QwenInspect.mount({ element, props, server, watch, trigger });"


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
        _followed(DEFAULT_MODEL, default_plan()),
        html_template=_SHELL,
        js_on_load=_MOUNT,
        apply_default_css=False,
        elem_id="qi-main",
        server_functions=list(_server_functions(session)),
    )
    return InspectTab(tree, inspect_more.build())


def wire(tab: InspectTab, header: Header, session: Session) -> None:
    """Reload the tree and what lies below when another model was opened, mark what trains."""
    header.along.append((tab.tree, _followed))
    header.plan.change(
        _followed,
        [header.model, header.plan],
        tab.tree,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    inspect_more.wire(tab.more, header, session, tab.tree)


def _followed(source: str, plan: FreezePlan) -> str:
    """What the tree shows. Its first value is the page's own first choice: it need not wait."""
    return json.dumps({"source": source, "plan": plan.to_json()})


def _server_functions(session: Session) -> tuple[Any, ...]:
    """What the tree's JavaScript asks for. Each takes one argument."""

    def tree(source: str) -> dict[str, Any]:
        from qwen_ui.ui.inspect.tree import tree_record

        return tree_record(session.anatomy(source))

    def detail(asked: list[str]) -> str:
        from qwen_ui.ui.inspect.detail import detail_html

        source, name, form = asked
        return detail_html(session.anatomy(source), name, fold=form == "fold")

    def source(asked: list[str]) -> str:
        from qwen_ui.ui.inspect.detail import source_text

        return source_text(session.anatomy(asked[0]), asked[1])

    def values(asked: list[str]) -> str:
        from qwen_ui.ui.inspect.weights import values_html

        try:
            return values_html(session.anatomy(asked[0]), asked[1])
        except ModelError as error:
            return f'<p class="qi-wait">{escape(str(error))}</p>'

    def trains(asked: list[str]) -> list[str]:
        from qwen_ui.freeze import resolve

        try:
            plan = FreezePlan.from_json(asked[1])
            return sorted(resolve(plan, session.anatomy(asked[0])).names)
        except UserError:
            return []  # the line under the header says why the plan trains nothing

    def pattern(asked: list[Any]) -> str:
        from qwen_ui.model.patterns import pattern_for

        return pattern_for(asked[1])

    def diagram(asked: list[Any]) -> str:
        from qwen_ui.ui.inspect.block_diagram import block_svg

        source, index = asked
        return block_svg(session.anatomy(source), int(index))

    return tree, detail, source, values, trains, pattern, diagram
