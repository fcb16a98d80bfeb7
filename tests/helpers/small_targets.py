"""What is too small to be pressed, for the tests and the pictures of every tab."""

from __future__ import annotations

from playwright.sync_api import Page

# WCAG 2.5.8. The rows of trees and grids are lower: their keys do what a click does there. A field
# inside a frame of gradio's takes the clicks of all of the frame, a box those of its label.
_LOW = """() => [...document.querySelectorAll(
    "button, select, summary, a[href], input, textarea, [role=button], [role=tab]")]
  .filter((node) => node.checkVisibility() && !node.closest("[role=grid], [role=treegrid], p, li"))
  .map((node) => [node, node.getBoundingClientRect(),
    (node.closest("label, .wrap-inner, .input-container") ?? node).getBoundingClientRect()])
  .map(([node, own, frame]) =>
    [node, Math.max(own.width, frame.width), Math.max(own.height, frame.height)])
  .filter(([node, width, height]) => width && height && (width < 23.5 || height < 23.5))
  .map(([node, width, height]) => `${node.className || node.id || node.tagName} ` +
    `${node.textContent.slice(0, 20)} ${Math.round(width)} x ${Math.round(height)}`)"""
# In the table of runs a tick, a baseline's mark and a name lie beside each other in a row of 32 px.
_BESIDE = ("Overlay", "qr-pin", "INPUT")


def small_targets(page: Page) -> list[str]:
    """What is shown, can be pressed and is lower or narrower than 24 px: name, text and size."""
    return [one for one in page.evaluate(_LOW) if not one.startswith(_BESIDE)]
