"""axe-core on a page in Chromium: what keeps a person with a screen reader or a keyboard out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_SCRIPT = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
# The default rules, and one of the experimental: what is spoken begins with what is read.
_RUN = """async () => {
  const rules = {"label-content-name-mismatch": {enabled: true}};
  const {violations} = await axe.run(document, {resultTypes: ["violations"], rules});
  return violations.map(({id, impact, nodes}) =>
    ({rule: id, impact, places: nodes.map(({target, html}) => `${target.join(" ")}: ${html}`)}));
}"""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that is broken: how gravely (axe's word), and where (selector and HTML)."""

    rule: str
    impact: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule} ({self.impact}): {len(self.places)}\n  " + "\n  ".join(self.places)


def violations(page: Page) -> list[Violation]:
    """The rules that what is visible now breaks, the gravest first."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_SCRIPT.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    order = ("critical", "serious", "moderate", "minor")
    found.sort(key=lambda one: order.index(one["impact"]))
    return [Violation(one["rule"], one["impact"], tuple(one["places"])) for one in found]


def grave(found: list[Violation]) -> list[Violation]:
    """Those that keep somebody out."""
    return [one for one in found if one.impact in GRAVE]
