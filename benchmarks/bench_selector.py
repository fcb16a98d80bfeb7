"""How quickly the selector answers, in a real Chromium on this machine.

    python -m benchmarks.bench_selector

For each model: milliseconds from a click on a cell to the frame that shows it (repaint), to the
new count (counts), and to Python's sentence in the header (confirmed), 150 ms of debounce included.
Then milliseconds from a click to the new price of a step and to the largest batch that fits.
Aims: repaint 50 ms; counts 100 ms in the median for 1.5 B, 200 ms for a large model; price 1 s.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import Page, sync_playwright
from torch import nn

from qwen_ui.model import open_model, preset_models
from qwen_ui.ui.page import Serving, Session, build_app, launch_options

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TICKS = 20
MEASURE = """async ({block, column}) => {
  const box = document.querySelector(`#qs-${block}-${column}`);
  const cell = box.parentElement, count = document.querySelector('.qs-trainable');
  const said = document.querySelector('#q-summary'), before = said.textContent;
  const next = (node) => new Promise((done) => {
    const watcher = new MutationObserver(() => { watcher.disconnect(); done(performance.now()); });
    watcher.observe(node, {childList: true, characterData: true, subtree: true});
  });
  const counted = next(count);
  const place = cell.getBoundingClientRect();
  const at = {bubbles: true, button: 0, pointerId: 1, clientX: place.x + 3, clientY: place.y + 3};
  const capture = Element.prototype.setPointerCapture;
  Element.prototype.setPointerCapture = () => {};
  const start = performance.now();
  box.dispatchEvent(new PointerEvent('pointerdown', at));
  box.dispatchEvent(new PointerEvent('pointerup', at));
  Element.prototype.setPointerCapture = capture;
  const painted = await new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now());
    channel.port2.postMessage(0);
  }));
  const counts = await counted;
  while (said.textContent === before) await new Promise((done) => setTimeout(done, 5));
  return [painted - start, counts - start, performance.now() - start];
}"""

PRICE_TICKS = 8
PRICE = """async ({block, column}) => {
  const box = document.querySelector(`#qs-${block}-${column}`);
  const price = document.querySelector('.qf-price'), fit = price.querySelector('.qf-fit-plan');
  const waits = () => price.classList.contains('qf-waits');
  const until = async (what) => {
    while (!what()) await new Promise((done) => setTimeout(done, 5));
    return performance.now();
  };
  const place = box.parentElement.getBoundingClientRect();
  const at = {bubbles: true, button: 0, pointerId: 1, clientX: place.x + 3, clientY: place.y + 3};
  const capture = Element.prototype.setPointerCapture;
  Element.prototype.setPointerCapture = () => {};
  const start = performance.now();
  box.dispatchEvent(new PointerEvent('pointerdown', at));
  box.dispatchEvent(new PointerEvent('pointerup', at));
  Element.prototype.setPointerCapture = capture;
  await until(waits);
  const priced = await until(() => !waits());
  const fitted = await until(() => !['…', '–'].includes(fit.textContent));
  return [priced - start, fitted - start];
}"""


class Experts(nn.Module):
    """61 blocks of 256 experts as modules of their own: 46,848 expert tensors, all on `meta`."""

    def __init__(self, blocks: int = 61, experts: int = 256) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(1000, 64, device="meta")
        self.layers = nn.ModuleList(self._block(experts) for _ in range(blocks))

    def _block(self, experts: int) -> nn.Module:
        linear = {"bias": False, "device": "meta"}
        attention = {f"{name}_proj": nn.Linear(64, 64, **linear) for name in "qkvo"}
        one = lambda: nn.ModuleDict(  # noqa: E731
            {f"{name}_proj": nn.Linear(64, 32, **linear) for name in ("gate", "up", "down")}
        )
        mlp = nn.ModuleDict({"experts": nn.ModuleList(one() for _ in range(experts))})
        return nn.ModuleDict({"self_attn": nn.ModuleDict(attention), "mlp": mlp})


def deep_model(folder: Path, blocks: int = 149) -> str:
    """A Qwen2 configuration of so many blocks: 149 make about 1,945 modules."""
    config = json.loads(Path("assets/configs/qwen2.5-0.5b-instruct.json").read_text())
    config |= {"num_hidden_layers": blocks, "max_window_layers": blocks}
    config.pop("layer_types", None)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def measure(page: Page, source: str, modules: int, tensors: int) -> None:
    box = page.locator("#q-picker input")
    box.fill(source)
    box.press("Enter")
    page.wait_for_selector(f".qs[data-source='{source}']", timeout=120_000)
    page.get_by_role("button", name="None", exact=True).click()
    page.wait_for_function("document.querySelector('.qs-trainable').textContent === '0'")
    page.wait_for_timeout(1500)
    columns = page.locator(".qs-kinds .qs-kind").count()
    times = [
        page.evaluate(MEASURE, {"block": 4 + i % 12, "column": 1 + i % columns})
        for i in range(TICKS)
    ]
    told = _told(("repaint", "counts", "confirmed"), times)
    label = source if len(source) < 30 else "deep Qwen2"
    print(f"{label:24} {modules:6,} modules {tensors:6,} tensors: {told}", flush=True)
    if not Path(source).is_dir() and source not in preset_models():
        return  # a bare module cannot be traced
    cells = [{"block": 5 + 2 * i, "column": 1 + i % columns} for i in range(PRICE_TICKS)]
    page.wait_for_function("!'…–'.includes(document.querySelector('.qf-fit-plan').textContent)")
    priced = [page.evaluate(PRICE, cell) for cell in cells]
    print(f"{label:24} {_told(('price', 'largest batch'), priced)}", flush=True)


def _told(names: tuple[str, ...], rows: list[list[float]]) -> str:
    return ", ".join(
        f"{name} {statistics.median(values):.0f} ms (at most {max(values):.0f})"
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    )


def main() -> None:
    torch.set_num_threads(1)
    session = Session()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        # A bare module has no name that a person could type: the session is given it under one.
        session.anatomies.keep("256-experts", open_model(Experts()))
        demo = build_app(session)
        demo.queue().launch(prevent_thread_lock=True, quiet=True, **launch_options(Serving()))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(demo.local_url)
        page.get_by_role("tab", name="Freeze").click()
        sources = ["qwen2.5-1.5b-instruct", "qwen2.5-72b-instruct", deep_model(Path(folder))]
        for source in [*sources, "256-experts"]:
            anatomy = session.anatomy(source)
            measure(page, source, len(anatomy.modules), len(anatomy.parameters))
        browser.close()
        demo.close()


if __name__ == "__main__":
    main()
