"""The next step is in view, answers at once, and launches once."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from qwen_ui.runs import run_names
from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import open_tab, reload

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
MINUTES_MS = 270_000
FIELDS = (("Steps", "4000"), ("Batch size", "1"), ("Sequence length", "32"))


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


def in_view(page: Page, selector: str) -> bool:
    return bool(
        page.locator(selector).evaluate(
            """node => {
              const { top, bottom } = node.getBoundingClientRect();
              return bottom > 0 && top < innerHeight;
            }"""
        )
    )


def test_launch_watch_stop_reload_resume(page: Page) -> None:
    """Journey: counts what a person does, and prints how long each part takes."""
    clicks = keys = 0
    began = time.monotonic()

    def passed(what: str) -> None:
        print(f"{what}: {clicks} clicks, {keys} keys, {time.monotonic() - began:.1f} s")

    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")
    keys += 5
    open_tab(page, "Train")
    clicks += 1
    launch = page.locator("#qt-launch")
    expect(launch).to_be_enabled()
    assert in_view(page, "#qt-launch")
    expect(page.locator("#qt-bar")).to_contain_text("Runs on nano", timeout=MINUTES_MS)
    for label, value in FIELDS:
        page.locator("#qt-form").get_by_label(label).first.fill(value)
    before = set(run_names())
    expect(page.locator("#qt-launched .q-launched-main")).to_be_attached()
    # The answer is the page's own: read in the very task of the click, before the next frame.
    answered = page.evaluate(
        """() => {
          const began = performance.now();
          const launch = document.querySelector('#qt-launch');
          launch.click();
          const main = document.querySelector('#qt-launched .q-launched-main');
          const answer = [main.textContent, main.hidden, performance.now() - began];
          launch.click();
          main.click();
          return answer;
        }"""
    )
    clicks += 1
    assert answered[:2] == ["Starting …", False]
    print(f"answered after {answered[2]:.0f} ms")
    expect(launch).to_be_hidden()
    page.wait_for_function(
        "() => document.querySelector('#qt-run').getBoundingClientRect().top < innerHeight / 2"
    )
    passed("launched")
    view = page.locator("#qt-run .qr-view")
    stop = page.locator("#qt-launched .q-launched-main")
    expect(stop).to_have_text("Stop", timeout=MINUTES_MS)
    expect(page.locator("#qt-launched")).to_contain_text("left", timeout=MINUTES_MS)
    expect(view.locator(".qr-badge")).to_have_text("Training", timeout=MINUTES_MS)
    passed("watched")
    stop.click()
    clicks += 1
    expect(view.locator(".qr-badge")).to_have_text("Stopped", timeout=MINUTES_MS)
    expect(launch).to_be_visible()
    passed("stopped")
    assert len(set(run_names()) - before) == 1
    page.reload()
    page.wait_for_selector(".q-facts", state="attached")  # out of sight on a phone
    open_tab(page, "Train")
    clicks += 1
    view.get_by_role("button", name="Resume").click()
    clicks += 1
    expect(stop).to_have_text("Stop", timeout=MINUTES_MS)
    passed("resumed")
    stop.click()
    clicks += 1
    expect(view.locator(".qr-badge")).to_have_text("Stopped", timeout=MINUTES_MS)
    assert (clicks, keys) == (6, 5)


def test_a_launch_that_is_refused_gives_the_button_back(page: Page) -> None:
    open_tab(page, "Train")
    expect(page.locator("#qt-launch")).to_be_enabled()
    page.locator("#qt-form").get_by_label("Steps").first.fill("")
    page.locator("#qt-form").get_by_label("Steps").first.press("Tab")
    page.locator("#qt-launch").click()
    expect(page.get_by_text("Give it a number")).to_be_visible()
    expect(page.locator("#qt-launch")).to_be_visible()
    expect(page.locator("#qt-run")).not_to_contain_text("Starting a run")
    # The field goes by its label, and messages of former tries do not pile up.
    expect(page.locator(".toast-body")).to_contain_text("'Steps'")
    page.locator("#qt-launch").click()
    expect(page.locator("#qt-launched .q-launched-main")).to_be_hidden()
    expect(page.locator(".toast-body")).to_have_count(1)


SMALL = {
    "model_type": "qwen2",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
}
PASTE = """text => {
  const data = new DataTransfer();
  data.setData('text/plain', text);
  const how = { clipboardData: data, bubbles: true, cancelable: true };
  document.querySelector('#q-picker input').dispatchEvent(new ClipboardEvent('paste', how));
}"""
DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  document.querySelector('#q-header').dispatchEvent(new DragEvent('drop', how));
}"""


def test_a_model_by_wrong_name_link_paste_drop_and_folder(page: Page, tmp_path: Path) -> None:
    """Journey: what is named in the header is what is open, whatever a person gives it."""
    began = time.monotonic()
    box, facts = page.locator("#q-picker input"), page.locator("#q-facts")

    def name(text: str) -> None:
        box.click()
        expect(box).to_have_attribute("placeholder", re.compile("folder or config.json"))
        box.fill(text)
        box.press("Enter")

    name("qwen2.5-7b-instrct")
    expect(page.locator("p.q-reason")).to_contain_text("Did you mean qwen2.5-7b-instruct")
    expect(box).to_have_value("qwen2.5-1.5b-instruct")
    expect(facts).to_contain_text("1.54 B")
    expect(page.locator("ul.options")).to_have_count(0)
    name("https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct/tree/main")
    expect(box).to_have_value("Qwen/Qwen2.5-0.5B-Instruct")
    expect(page.locator("p.q-reason")).to_have_count(0)
    box.focus()
    page.evaluate(PASTE, json.dumps(SMALL))
    expect(facts).to_contain_text("blocks6")
    expect(box).to_have_value(re.compile("^qwen2-"))
    page.evaluate(DROP, ["mine.json", json.dumps({**SMALL, "num_hidden_layers": 5})])
    expect(facts).to_contain_text("blocks5")
    expect(box).to_have_value(re.compile("^mine-"))
    page.evaluate(DROP, ["notes.txt", "hello"])
    expect(page.locator("#q-model .q-wrong")).to_contain_text("'notes.txt' is no config.json")
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SMALL))
    name(str(folder))
    expect(facts).to_contain_text("blocks6")
    expect(box).to_have_value(str(folder))
    print(f"a model in six ways: {time.monotonic() - began:.1f} s")


def test_the_address_holds_where_a_person_is(page: Page) -> None:
    box, tab = page.locator("#q-picker input"), page.locator('[id^="q-tab-"][aria-selected="true"]')
    box.fill("nano")
    box.press("Enter")
    expect(page).to_have_url(re.compile(r"model=nano"))
    open_tab(page, "Freeze")
    expect(page).to_have_url(re.compile(r"tab=freeze"))
    page.get_by_role("radio", name="bitfit").or_(page.get_by_role("button", name="bitfit")).click()
    expect(page).to_have_url(re.compile(r"plan=bitfit%40last%3A4"))
    open_tab(page, "Compare")
    expect(page).to_have_url(re.compile(r"tab=compare"))
    page.go_back()
    expect(tab).to_have_text("Freeze")
    page.go_back()
    expect(page.locator("#q-summary")).to_contain_text("197,632")
    page.go_forward()
    expect(page.locator("#q-summary")).to_contain_text("1,024")
    reload(page)
    expect(tab).to_have_text("Freeze")
    expect(box).to_have_value("nano")
    expect(page.locator("#q-summary")).to_contain_text("1,024")
    page.goto(page.url.split("?")[0] + "?model=nano&module=model.layers.3.self_attn")
    expect(page.locator(".qi-detail h2")).to_contain_text("layers.3.self_attn")


def test_the_plan_goes_on_to_be_trained_and_compared(page: Page) -> None:
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")
    expect(page.locator("#q-facts")).to_contain_text("6.04 M")
    page.locator(".qi-query").fill("layers.3.self_attn.q_proj")
    expect(page.locator(".qi-detail h2")).to_contain_text("layers.3.self_attn.q_proj")
    page.get_by_role("button", name="Train only this").click()
    expect(page.locator('[id^="q-tab-"][aria-selected="true"]')).to_have_text("Freeze")
    expect(page.locator("#q-summary")).to_contain_text("16,512 of 6,043,776")
    page.get_by_label("Plan to compare with").select_option("mlp on last:4")
    page.get_by_role("button", name="Compare this plan with").click()
    plans = page.locator("#qc-others")
    for name in ("the current plan", "mlp"):
        expect(plans.get_by_label(name, exact=True)).to_be_checked()
    expect(plans.get_by_label("bitfit", exact=True)).not_to_be_checked()
    expect(page.locator("#qc-ticked")).to_be_focused()
    open_tab(page, "Freeze")
    page.get_by_role("button", name="Train this plan").click()
    expect(page.locator("#qt-launch")).to_be_focused()


def test_keys_help_palette_and_guides(page: Page) -> None:
    page.keyboard.press("?")
    helped = page.get_by_role("dialog", name="Keys and help")
    expect(helped).to_contain_text("Ctrl+K")
    with page.context.expect_page() as opened:
        helped.get_by_role("link", name="Freeze").click()
    expect(opened.value.locator("h1").first).to_have_text("Choosing what trains")
    opened.value.close()
    page.keyboard.press("Escape")
    expect(helped).to_be_hidden()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("combobox", name="Open a tab, model, plan or run")
    palette.fill("nano")
    palette.press("Enter")
    expect(page.locator("#q-facts")).to_contain_text("6.04 M")
    page.keyboard.press("Control+k")
    palette.fill("compare")
    palette.press("Enter")
    expect(page.locator('[id^="q-tab-"][aria-selected="true"]')).to_have_text("Compare")


def test_a_first_visit_runs_the_demonstration_by_one_click(
    browser: Browser, tmp_path: Path
) -> None:
    """Journey: one click from the first page to a comparison that runs."""
    server = Dashboard(tmp_path / "home", tmp_path / "dashboard.log")
    server.start()
    try:
        page = browser.new_page()
        page.set_default_timeout(MINUTES_MS)
        page.goto(server.url)
        welcome = page.locator("section.q-welcome")
        expect(welcome.locator("li")).to_have_count(3, timeout=MINUTES_MS)
        began = time.monotonic()
        welcome.get_by_role("button", name="Compare attention-only").click()
        view = page.locator("#qc-view")
        expect(view.locator(".qc-run")).to_have_count(6, timeout=MINUTES_MS)
        expect(page.locator("#qc-launched")).to_contain_text("runs are over")
        print(f"one-click comparison: 1 click, {time.monotonic() - began:.1f} s to its runs")
        page.locator("#qc-launched .q-launched-main").click()
        expect(page.locator("#qc-classic")).to_be_visible(timeout=MINUTES_MS)
        page.reload()
        page.wait_for_selector(".q-facts")
        expect(page.locator("section.q-welcome")).to_have_count(0)
        page.close()
    finally:
        server.stop()
