"""The selector: one `gr.HTML` whose DOM its own JavaScript owns (static/freeze_tab.js).

The page gives an empty shell; the model's structure is fetched once through a server function, the
states live in a `Uint8Array` of the browser, rows are drawn only where they are in view. Nothing of
the tree stands in the component's props: gradio compares those as JSON at every write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from qwen_ui.freeze import preset_plans
from qwen_ui.ui.freeze.actions import server_functions
from qwen_ui.ui.freeze.panels import panels
from qwen_ui.ui.page import FLAME, SNOWFLAKE, mounted_by

if TYPE_CHECKING:
    from qwen_ui.ui.page import Session

_LABELS = {"bitfit": "BitFit", "mlp": "MLP"}

_PRESETS = """
<div class="qs-bar qs-presets">
  <div class="qs-field"><span class="qs-label" id="qs-presets-label">Preset</span>
    <div class="qs-segments" role="group" aria-labelledby="qs-presets-label">{presets}</div></div>
  <label class="qs-field"><span class="qs-label">Layers</span>
    <input class="qs-input qs-layers" type="text" placeholder="preset's default" autocomplete="off"
      spellcheck="false" title="all, none, 24-27, 0,4,8-11, last:4, first:4 or every:4"></label>
  <div class="qs-field"><span class="qs-label" id="qs-mode-label">When applying</span>
    <div class="qs-segments" role="radiogroup" aria-labelledby="qs-mode-label">
      <button type="button" role="radio" data-mode="replace" aria-checked="true">Replace</button>
      <button type="button" role="radio" data-mode="add" aria-checked="false">Add</button>
      <button type="button" role="radio" data-mode="remove" aria-checked="false">Remove</button>
    </div></div>
  <div class="qs-field qs-grow"><label class="qs-label" for="qs-regex">Regular expression over
    names</label>
    <div class="qs-joined"><input id="qs-regex" class="qs-input qs-regex" type="text"
      placeholder="(q|v)_proj.bias" autocomplete="off" spellcheck="false">
      <button type="button" class="qs-button qs-use" disabled>Use</button></div></div>
</div>
<p class="qs-said" role="status" aria-live="polite"></p>
"""
_TOOLS = """
<div class="qs-bar qs-tools">
  <div class="qs-segments" role="radiogroup" aria-label="View">
    <button type="button" role="radio" data-view="grid" aria-checked="true">Grid</button>
    <button type="button" role="radio" data-view="tree" aria-checked="false">Tree</button>
  </div>
  <button type="button" class="qs-button" data-do="undo" title="Ctrl+Z" disabled>Undo</button>
  <button type="button" class="qs-button" data-do="redo" title="Ctrl+Shift+Z" disabled>Redo</button>
  <label class="qs-inline">Heat <select class="qs-input qs-heat" aria-label="Heat of the cells">
    <option value="">none</option><option value="count">parameters</option></select></label>
  <span class="qs-legend">{flame}trains {snowflake}frozen</span>
  <div class="qs-segments qs-scale" role="radiogroup" aria-label="Scale of the bars">
    <button type="button" role="radio" data-scale="linear" aria-checked="true">Linear</button>
    <button type="button" role="radio" data-scale="log" aria-checked="false">Log</button>
  </div>
</div>
"""
_HEAT = """
<div class="qs-heatline" hidden>
  <span class="qs-ramps"></span>
  <span class="qs-take" hidden><button type="button" class="qs-button" data-heat="take">Take the
    top</button> <input class="qs-input qs-top" value="4" inputmode="numeric"
    aria-label="Number of highest blocks"> blocks</span>
  <progress class="qs-heat-progress" max="1" hidden aria-label="Progress of the scores"></progress>
  <span class="qs-heat-said" role="status" aria-live="polite"></span>
</div>
"""
_VIEWS = """
<div class="qs-grid" role="grid" tabindex="0" aria-multiselectable="true"
  aria-label="Blocks and kinds: which parameters train"></div>
<div class="qs-tree" role="treegrid" tabindex="0" hidden
  aria-label="Module tree: which parameters train"></div>
<p class="qs-hint"></p>
"""
_SIDE = """
<aside class="qs-side" aria-label="What the plan trains">
  <div class="qs-total"><strong class="qs-trainable">–</strong>
    <span class="qs-of">parameters train</span></div>
  <div class="qs-wide" aria-hidden="true"><i></i></div>
  <dl class="qs-counts">
    <dt>share</dt><dd class="qs-share">–</dd>
    <dt>tensors</dt><dd class="qs-tensors">–</dd>
    <dt>frozen</dt><dd class="qs-frozen">–</dd>
    <dt>blocks touched</dt><dd class="qs-touched">–</dd>
  </dl>
  <ul class="qs-notes" aria-label="Notes on this plan"></ul>
  <div class="qs-actions">
    <button type="button" class="qs-button" data-do="copy">Copy sentence</button>
    <button type="button" class="qs-button" data-do="link">Copy link</button>
    <button type="button" class="qs-button" data-do="download">Download plan</button>
    <button type="button" class="qs-button" data-do="load">Load plan</button>
    <input class="qs-file" type="file" accept=".json,.txt,.yaml,.yml" hidden>
  </div>
  <div class="qs-keep">
    <div class="qs-joined"><input class="qs-input qs-name" type="text" maxlength="60"
      placeholder="Save this plan as …" aria-label="Name to save the plan under">
      <button type="button" class="qs-button" data-do="keep">Save</button></div>
    <ul class="qs-kept" aria-label="Saved plans"></ul>
  </div>
  <details class="qs-paste"><summary>Paste a plan, names or patterns</summary>
    <textarea class="qs-input qs-text" rows="5" spellcheck="false" aria-label="A plan's JSON, names
a line, or Axolotl's unfrozen_parameters" placeholder="A plan's JSON, a name a line, or Axolotl's
unfrozen_parameters"></textarea>
    <button type="button" class="qs-button" data-do="paste">Use</button></details>
  <details class="qs-table"><summary>Table of blocks</summary><div></div></details>
</aside>
"""


def selector(session: Session) -> gr.HTML:
    """The component; see `freeze_tab` for its value."""
    return gr.HTML(
        "",
        html_template=shell(),
        js_on_load=mounted_by("freeze/freeze_tab.js"),
        apply_default_css=False,
        elem_id="qs-main",
        server_functions=server_functions(session),
    )


def edits() -> gr.HTML:
    """What the browser tells Python, apart from the selector's value; see `freeze_tab`."""
    return gr.HTML(
        "",
        html_template="<span hidden></span>",
        js_on_load=mounted_by("freeze/edits.js", fires_input=True),
        apply_default_css=False,
        elem_id="qs-edits",
    )


def shell() -> str:
    """The DOM before any model is there."""
    presets = "".join(
        f'<button type="button" data-preset="{name}" aria-pressed="false">'
        f"{_LABELS.get(name, name.capitalize())}</button>"
        for name in preset_plans()
    )
    bars = _PRESETS.format(presets=presets)
    tools = _TOOLS.format(flame=FLAME, snowflake=SNOWFLAKE)
    left = f'<div class="qs-left">{tools}{_HEAT}{_VIEWS}</div>'
    return f'<div class="qs">{bars}<div class="qs-columns">{left}{_SIDE}</div>{panels()}</div>'
