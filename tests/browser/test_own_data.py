"""A person's own file on the Train and Compare tabs: what is said of it, and what can start."""

from __future__ import annotations

import json
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
