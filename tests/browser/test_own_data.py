"""A person's own file on the Train and Compare tabs: what is said of it, and what can start."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browser_runs import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROW = {"frage": "why?", "antwort": "because"}


def shared(tmp_path: Path) -> Path:
    turns = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]
    file = tmp_path / "sharegpt.jsonl"
    file.write_text(json.dumps({"conversations": turns}))
    return file


def choose_nano(page: Page) -> None:
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")


def test_a_file_says_what_it_was_taken_for_and_a_broken_one_cannot_be_launched(
    page: Page, tmp_path: Path
) -> None:
    choose_nano(page)
    open_tab(page, "Train")
    launch, note = page.locator("#qt-launch"), page.locator("#qt-data-note")
    expect(launch).to_be_enabled()
    page.locator("#qt-data").get_by_label("My own file").check()
    expect(launch).to_be_disabled()
    page.locator("#qt-upload input[type=file]").set_input_files(shared(tmp_path))
    expect(note).to_contain_text("conversations (from, value) -> messages")
    expect(launch).to_be_enabled()
    page.locator("#qt-upload").get_by_label("Clear").click()
    broken = tmp_path / "mine.jsonl"
    broken.write_text(json.dumps(ROW))
    page.locator("#qt-upload input[type=file]").set_input_files(broken)
    expect(note).to_contain_text("mine.jsonl, line 1: no usable field")
    expect(launch).to_be_disabled()
    page.locator("#qt-columns textarea, #qt-columns input").fill("user=frage,assistant=antwort")
    expect(note).to_contain_text("frage -> user, antwort -> assistant")
    expect(launch).to_be_enabled()


COUNT = """
() => {
  window.effort = { clicks: 0, keys: 0 };
  const count = (name, what) =>
    document.addEventListener(name, (e) => e.isTrusted && (window.effort[what] += 1), true);
  count('pointerdown', 'clicks');
  count('keydown', 'keys');
}
"""


def test_own_data_good_and_broken_are_judged_in_two_clicks_and_a_file(
    page: Page, tmp_path: Path
) -> None:
    choose_nano(page)
    expect(page.locator(".q-facts")).to_contain_text("6.04 M")
    page.evaluate(COUNT)
    began = time.monotonic()
    open_tab(page, "Train")
    page.locator("#qt-data").get_by_text("My own file").click()
    chooser = page.locator("#qt-upload input[type=file]")
    rows = [
        {"prompt": "why? ", "completion": "because " * (200 if n == 4 else 3)} for n in range(9)
    ]
    good, broken = tmp_path / "good.jsonl", tmp_path / "broken.jsonl"
    good.write_text("\n".join(map(json.dumps, rows)))
    broken.write_text('{"text": "fine"}\n{"text": \n{"words": 1}\n')
    chooser.set_input_files(good)
    verdict, note = page.locator(".qt-verdict"), page.locator("#qt-data-note")
    expect(verdict).to_contain_text("Samples cut at 128 tokens: 1 of 9")
    expect(page.locator("#qt-launch")).to_be_enabled()
    told_good = time.monotonic() - began
    page.locator("#qt-upload").get_by_label("Clear").click()
    page.locator("#qt-upload input[type=file]").set_input_files(broken)
    expect(note.locator("li")).to_have_count(2)
    expect(note).to_contain_text("broken.jsonl, line 2")
    expect(note).to_contain_text("broken.jsonl, line 3")
    expect(page.locator("#qt-launch")).to_be_disabled()
    effort = page.evaluate("window.effort")
    print(
        f"own data: {effort}, judged after {told_good:.1f} s, both {time.monotonic() - began:.1f} s"
    )
    # The tab, the choice, Clear: a file's own dialog is the system's.
    assert effort == {"clicks": 3, "keys": 0}
    assert page.locator("body").evaluate("b => !b.innerText.includes('/tmp/')")


def test_nothing_is_compared_on_a_broken_file(page: Page, tmp_path: Path) -> None:
    choose_nano(page)
    open_tab(page, "Compare")
    broken = tmp_path / "mine.jsonl"
    broken.write_text('{"text": ')
    page.locator("#qc-data").get_by_label("My own file").check()
    page.locator("#qc-upload input[type=file]").set_input_files(broken)
    expect(page.locator("#qc-data-note")).to_contain_text("mine.jsonl")
    expect(page.locator("#qc-classic")).to_be_disabled()
    page.locator("#qc-data").get_by_label("as chats").check()
    expect(page.locator("#qc-classic")).to_be_enabled()
