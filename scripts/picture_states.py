"""What the pictures of the page show: each state is brought up as a person would."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

TABS = ("inspect", "freeze", "train", "runs", "compare")
SETTLE_MS = 1200
MINUTES_MS = 300_000  # for what a process of its own has to do first, on a loaded machine
BROKEN = '{"text": "one"}\n{"text": 2}\n{"prompt": "a question without an answer"}\nnot JSON\n'


@dataclass(frozen=True, slots=True)
class State:
    """One thing to see.

    Attributes:
        tab: on which tab.
        bring: what a person does there, once the tab is shown.
        where: the dashboard that shows it: "empty", "full" (with runs) or "public".
    """

    tab: str
    bring: Callable[[Page], None]
    where: str = "full"


def show(page: Page, tab: str) -> None:
    page.locator(f"#q-tab-{tab}-button").click()
    page.wait_for_timeout(SETTLE_MS)


def nothing(page: Page) -> None:
    """As the tab opens."""


def inspect(page: Page) -> None:
    page.locator(".qi-query").fill("24 k_proj")


def two_models(page: Page) -> None:
    page.locator("#qi-more [role=tab]").nth(1).click()
    field = page.locator("#qi-other input")
    field.fill("qwen2.5-0.5b-instruct")
    field.press("Enter")
    page.wait_for_timeout(4 * SETTLE_MS)


def weights(page: Page) -> None:
    reopen(page, "nano")
    page.locator("#qi-more [role=tab]").nth(2).click()
    page.locator("#qi-weigh").click()
    page.wait_for_timeout(4 * SETTLE_MS)


def report(page: Page) -> None:
    page.locator("#qi-more [role=tab]").nth(3).click()
    page.locator("#qi-write").click()
    expect(page.locator("#qi-report h2").first).to_be_visible()


def verify(page: Page) -> None:
    show(page, "runs")
    title = page.locator(".qr-open").first.get_attribute("title") or ""
    run = re.findall(r"\d{8}-\d{6}-[\w-]+", title)[0]
    show(page, "inspect")
    reopen(page, "nano")
    page.locator(".qi-verify-field").fill(run)
    page.locator(".qi-verify-field").press("Enter")
    expect(page.locator(".qi-verify table").first).to_be_visible(timeout=MINUTES_MS)


def freeze(page: Page) -> None:
    page.locator("[data-preset=bitfit]").click()
    page.locator(".qs-heat").select_option("count")


def freeze_whole(page: Page) -> None:
    """Everything that is folded is open."""
    page.locator("[aria-controls=qs-more]").click()
    page.evaluate("document.querySelectorAll('#qs-main details').forEach(one => one.open = true)")
    page.wait_for_timeout(4 * SETTLE_MS)


def train(page: Page) -> None:
    """Everything of the form that is folded is open."""
    labels = page.locator("#qt-form button.label-wrap:not(.open)")
    while labels.count():
        labels.first.click()


def own_data(page: Page) -> None:
    page.locator("#qt-data input").nth(2).check()
    given = {"name": "broken.jsonl", "mimeType": "text/plain", "buffer": BROKEN.encode()}
    page.locator("#qt-upload input[type=file]").set_input_files(given)  # type: ignore[arg-type]
    expect(page.locator("#qt-form .q-bad").first).to_be_visible(timeout=MINUTES_MS)


def slurm(page: Page) -> None:
    if page.locator("#qt-where").is_visible():
        page.locator("#qt-where input").nth(1).check()


def runs(page: Page) -> None:
    page.locator(".qr-open").first.click()
    for box in page.locator(".qr-runs tbody input").all()[:2]:
        box.check()
    page.wait_for_timeout(SETTLE_MS)


def playground(page: Page) -> None:
    page.locator(".qr-open").first.click()
    prompt = page.locator(".qr-talk-form textarea")
    prompt.fill("And it came to pass")
    prompt.press("Enter")
    expect(page.locator(".qr-send")).to_be_enabled(timeout=MINUTES_MS)


def keys(page: Page) -> None:
    page.locator(".q-guide-help").click()


def palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("bi")


def wrong_model(page: Page) -> None:
    field = page.locator("#q-picker input")
    field.fill("qwen2.5-1.5b-instrukt")
    field.press("Enter")
    expect(page.locator("#q-header .q-reason")).to_be_visible()


def reopen(page: Page, model: str) -> None:
    field = page.locator("#q-picker input")
    field.fill(model)
    field.press("Enter")
    page.wait_for_timeout(2 * SETTLE_MS)


STATES: dict[str, State] = {
    **{f"{tab}-empty": State(tab, nothing, "empty") for tab in TABS},
    "wrong-model": State("inspect", wrong_model, "empty"),
    "keys": State("inspect", keys, "empty"),
    "inspect-full": State("inspect", inspect),
    "inspect-two": State("inspect", two_models),
    "inspect-weights": State("inspect", weights),
    "inspect-report": State("inspect", report),
    "inspect-verify": State("inspect", verify),
    "freeze-full": State("freeze", freeze),
    "freeze-whole": State("freeze", freeze_whole),
    "train-full": State("train", nothing),
    "train-whole": State("train", train),
    "train-data": State("train", own_data),
    "train-slurm": State("train", slurm),
    "runs-full": State("runs", runs),
    "runs-playground": State("runs", playground),
    "compare-full": State("compare", nothing),
    "palette": State("runs", palette),
    **{f"{tab}-public": State(tab, nothing, "public") for tab in ("inspect", "train", "runs")},
}
