"""The shell of what lies below the selector: the price of a step, and the exports."""

from __future__ import annotations

from qwen_ui.freeze.cost import optimizer_names

_OPTIMIZERS = {
    "adamw": "AdamW",
    "adamw_8bit": "AdamW, 8 bits",
    "sgd": "SGD",
    "sgd_momentum": "SGD with momentum",
}
_PRICE = """
<section class="qf-price" aria-labelledby="qf-price-title">
  <h2 id="qf-price-title">What a step costs</h2>
  <p class="qf-sentence" role="status" aria-live="polite">Tracing a step …</p>
  <div class="qs-bar qf-settings">
    <label class="qs-field"><span class="qs-label">Batch</span>
      <input class="qs-input qf-number" data-setting="batch_size" inputmode="numeric"
        value="4"></label>
    <label class="qs-field"><span class="qs-label">Sequence</span>
      <input class="qs-input qf-number" data-setting="sequence_length" inputmode="numeric"
        value="512"></label>
    <label class="qs-field"><span class="qs-label">Optimizer</span>
      <select class="qs-input" data-setting="optimizer">{optimizers}</select></label>
    <label class="qs-field"><span class="qs-label">Memory, GB</span>
      <input class="qs-input qf-number qf-memory" inputmode="decimal" placeholder="found"></label>
  </div>
  <div class="qf-checks">
    <label><input type="checkbox" data-setting="checkpointing"> gradient checkpointing</label>
    <label><input type="checkbox" data-setting="keep_prefix"> cache frozen blocks' outputs</label>
    <label><input type="checkbox" data-setting="masters" checked> float32 masters</label>
    <label title="The worker behind the Train tab: prefix cached, loss in chunks, AdamW, float32
on a CPU"><input type="checkbox" data-setting="worker"> as the Train tab runs it</label>
  </div>
  <table class="qf-table">
    <thead><tr><th scope="col">one step</th><th scope="col">this plan</th>
      <th scope="col">everything</th><th scope="col" colspan="2">ratio</th></tr></thead>
    <tbody></tbody>
    <tfoot><tr><th scope="row">largest batch that fits</th><td class="qf-fit-plan">–</td>
      <td class="qf-fit-full">–</td><td colspan="2" class="qf-fit-where"></td></tr></tfoot>
  </table>
  <table class="qf-table qf-ways">
    <thead><tr><th scope="col">with and without</th><th scope="col">whole step</th>
      <th scope="col">of everything</th><th scope="col">peak memory</th>
      <th scope="col">of everything</th></tr></thead>
    <tbody></tbody>
  </table>
</section>
"""
_EXPORT = """
<section class="qf-export" aria-labelledby="qf-export-title">
  <h2 id="qf-export-title">Use this plan elsewhere</h2>
  <div class="qs-bar">
    <label class="qs-field qs-grow"><span class="qs-label">Format</span>
      <select class="qs-input qf-format"></select></label>
    <button type="button" class="qs-button qf-copy">Copy</button>
    <button type="button" class="qs-button qf-save">Download</button>
  </div>
  <pre class="qf-code" tabindex="0" aria-label="The plan in this format"><code></code></pre>
</section>
"""


def panels() -> str:
    """Both sections; their figures come from `freeze_actions`."""
    optimizers = "".join(
        f'<option value="{name}">{_OPTIMIZERS.get(name, name)}</option>'
        for name in optimizer_names()
    )
    return f'<div class="qf-panels">{_PRICE.format(optimizers=optimizers)}{_EXPORT}</div>'
