"""The Inspect tab: the module tree, what the selected module is, and where the parameters are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from qwen_ui.ui.guard import guarded
from qwen_ui.ui.header import Header
from qwen_ui.ui.session import Session

_SHELL = """
<div class="qi-inspector">
  <div class="qi-left">
    <div class="qi-tools">
      <input class="qi-query" type="search" aria-label="Search modules and tensors"
        placeholder="Search: q_proj, role:norm, kind:self_attn.q_proj.bias" autocomplete="off"
        spellcheck="false">
      <button class="qi-tool qi-regex" type="button" aria-pressed="false"
        title="Read the search as a regular expression over full names">.*</button>
      <button class="qi-tool qi-open" type="button">Expand all</button>
      <button class="qi-tool qi-close" type="button">Collapse all</button>
    </div>
    <div class="qi-found" role="status" aria-live="polite">Waiting for a model …</div>
    <div class="qi-head" aria-hidden="true">
      <span>module or tensor</span><span>class or shape</span><span>parameters</span>
      <span>bytes</span><span>share</span><span></span>
    </div>
    <div class="qi-tree" role="tree" tabindex="0" aria-label="Module tree">
      <div class="qi-canvas" role="presentation"></div>
    </div>
  </div>
  <section class="qi-panel" aria-label="Selected module" tabindex="0">
    <div class="qi-detail"></div>
    <figure class="qi-diagram"><figcaption></figcaption><div class="qi-picture"></div></figure>
  </section>
</div>
"""
_MOUNT = "window.QwenInspect.mount({ element, props, server, watch });"
# plotly cannot read the page's CSS variables; the page says which theme it shows.
_IS_DARK = "(model) => [model, document.body.classList.contains('dark')]"


@dataclass(frozen=True, slots=True)
class InspectTab:
    """The tab's components.

    Attributes:
        tree: search, tree and panel; its value is the model's name, its DOM is JavaScript's.
        dark: whether the page is dark, told by the browser.
        treemap: where the parameters are, by area.
        bars: the same, a bar a block.
    """

    tree: gr.HTML
    dark: gr.Checkbox
    treemap: gr.Plot
    bars: gr.Plot


def build(session: Session) -> InspectTab:
    """The tab's components, not yet connected."""
    tree = gr.HTML(
        "",
        html_template=_SHELL,
        js_on_load=_MOUNT,
        apply_default_css=False,
        elem_id="qi-main",
        server_functions=list(_server_functions(session)),
    )
    # A gr.State's value never leaves the server; a component that is not drawn takes the answer.
    dark = gr.Checkbox(False, visible=False)
    gr.Markdown("### Where the parameters are", elem_classes="qi-section")
    with gr.Row(elem_id="qi-figures"):
        treemap = gr.Plot(show_label=False, container=False, elem_id="qi-treemap")
        bars = gr.Plot(show_label=False, container=False, elem_id="qi-bars")
    return InspectTab(tree, dark, treemap, bars)


def wire(tab: InspectTab, header: Header, session: Session) -> None:
    """Reload tree and figures when another model was opened."""

    @guarded
    def draw(source: str, dark: bool) -> tuple[Any, Any]:
        from qwen_ui.ui.figures import block_bars, parameter_treemap

        anatomy = session.anatomy(source)
        return parameter_treemap(anatomy, dark=dark), block_bars(anatomy, dark=dark)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    header.model.change(lambda source: source, header.model, tab.tree, **quiet)
    header.model.change(
        draw, [header.model, tab.dark], [tab.treemap, tab.bars], js=_IS_DARK, **quiet
    )


def _server_functions(session: Session) -> tuple[Any, ...]:
    """What the tree's JavaScript asks for. Each takes one argument."""

    def tree(source: str) -> dict[str, Any]:
        from qwen_ui.ui.inspect_tree import tree_record

        return tree_record(session.anatomy(source))

    def detail(asked: list[str]) -> str:
        from qwen_ui.ui.inspect_detail import detail_html

        source, name, form = asked
        return detail_html(session.anatomy(source), name, fold=form == "fold")

    def source(asked: list[str]) -> str:
        from qwen_ui.ui.inspect_detail import source_text

        return source_text(session.anatomy(asked[0]), asked[1])

    def pattern(asked: list[Any]) -> str:
        from qwen_ui.model.patterns import pattern_for

        return pattern_for(asked[1])

    def diagram(asked: list[Any]) -> str:
        from qwen_ui.ui.block_diagram import block_svg

        source, index = asked
        return block_svg(session.anatomy(source), int(index))

    return tree, detail, source, pattern, diagram
