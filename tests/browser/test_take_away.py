"""One way through in Chromium: train on nano with a text to keep, read what it gained and lost,
turn it, talk to both, merge, download, follow the link."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from qwen_ui.runs import run_folder
from qwen_ui.workers import playground_place as place
from tests.browser.conftest import Dashboard, clipboard
from tests.helpers.browser_runs import finished, open_tab
from tests.helpers.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LONG = 300_000


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


def trained(page: Page) -> str:
    """The name of a run of nano that was launched on the page and came to its end."""
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")
    open_tab(page, "Train")
    launch = page.locator("#qt-launch")
    expect(launch).to_contain_text("Launch on the")
    expect(launch).to_be_enabled()
    for label, value in (("Steps", "8"), ("Batch size", "2"), ("Sequence length", "32")):
        page.locator("#qt-form").get_by_label(label).first.fill(value)
    launch.click()
    view = page.locator("#qt-run .qr-view")
    expect(view.locator(".qr-badge")).to_have_text("Completed", timeout=LONG)
    return view.locator(".qr-run").inner_text()


def answers(page: Page, prompt: str) -> list[str]:
    """What both sides write after this prompt."""
    talk = page.locator("#qr-talk")
    turns = talk.locator(".qr-turn").count()
    talk.get_by_label("What both sides are asked").fill(prompt)
    talk.get_by_role("button", name="Send").click()
    expect(talk.locator(".qr-turn")).to_have_count(turns + 1)
    expect(talk.get_by_role("button", name="Clear")).to_be_visible(timeout=LONG)
    return talk.locator(".qr-turn").last.locator(".qr-answer-text").all_inner_texts()


@pytest.mark.timeout(900)
def test_from_training_to_a_model_that_is_taken_away(page: Page, dashboard: Dashboard) -> None:
    run = trained(page)
    open_tab(page, "Runs")
    page.locator(f'[data-hold="open {run}"]').click()
    about, talk, take = (page.locator(f"#qr-{name}") for name in ("about", "talk", "take"))
    expect(about.locator(".qr-short")).to_contain_text("batch 2 of 32 tokens")
    about.get_by_text("All settings, data and versions").click()
    expect(about).to_contain_text("transformers")

    # What it lost of the text to keep that goes with the shipped data; then every strength.
    expect(page.locator("#qr-opened")).to_contain_text(re.compile(r"Text to keep: loss 3\.\d+"))
    dial = page.locator("#qr-dial")
    dial.get_by_role("button", name="Measure strengths").click()
    expect(dial.locator(".qr-changes")).to_be_visible(timeout=LONG)
    expect(dial.locator("output")).to_have_text(re.compile(r"Strength [\d.]+"))
    figures = dial.locator(".qr-dial-figures")
    assert figures.locator("dt").all_inner_texts()[1:] == [
        "Gain", "Loss on the text to keep", "Forgets", "KL from the base",
    ]  # fmt: skip
    tuned_figures = figures.inner_text()
    dial.get_by_label("Strength", exact=True).press("Home")
    expect(dial.locator("output")).to_have_text("Strength 0")
    gain, forgets, kl = (figures.locator("dd").nth(i) for i in (1, 3, 4))
    for figure in (gain, forgets, kl):
        expect(figure).to_have_text("0.000")
    assert figures.inner_text() != tuned_figures

    # Talk to both, on one base in one process; markup that a model or a person writes stays text.
    expect(talk.get_by_role("button", name="Send")).to_be_visible()
    talk.get_by_label("Maximum tokens").fill("16")
    talk.get_by_label("Strength").last.fill("3")
    base, tuned = answers(page, "And the <b>LORD</b> said")
    assert base
    assert tuned
    assert base != tuned
    expect(talk.locator(".qr-asked")).to_have_text("And the <b>LORD</b> said")
    launched = place.living()
    assert launched is not None
    talk.get_by_label("Strength").last.fill("0")
    talk.get_by_role("button", name="Again").click()
    expect(talk.locator(".qr-answer b").last).to_contain_text("at 0")
    expect(talk.get_by_role("button", name="Clear")).to_be_visible(timeout=LONG)
    assert talk.locator(".qr-answer-text").all_inner_texts() == [base, base]
    assert place.living() == launched

    # Blind: no name before the vote, both after it.
    talk.get_by_label("Strength").last.fill("1")
    talk.get_by_label("Blind").check()
    answers(page, "It was")
    turn = talk.locator(".qr-turn").last
    expect(turn.locator("b")).to_have_text(["Answer 1", "Answer 2"])
    talk.locator(".qr-votes").get_by_role("button", name="Answer 1").click()
    expect(talk.locator(".qr-votes")).to_contain_text("of 1 blind votes")
    expect(turn).to_contain_text("the base, nano")

    # Take it away: the file, the lines, the merged model.
    with page.expect_download() as fetched:
        take.get_by_role("button", name="Download").click()
    fetched.value.save_as(file := dashboard.home / "fetched.safetensors")
    assert file.read_bytes() == (run_folder(run) / "delta.safetensors").read_bytes()
    with safe_open(file, "pt") as delta:
        assert json.loads(delta.metadata()["qwen_ui"])["step"] == 8
    take.get_by_role("button", name="Show the lines").click()
    expect(take.locator("pre:visible")).to_contain_text("from_pretrained")
    take.get_by_role("button", name="Merge").click()
    expect(take).to_contain_text("For llama.cpp", timeout=LONG)
    merged = dashboard.home / "models" / run
    assert AutoModelForCausalLM.from_pretrained(merged).num_parameters() == 6_043_776
    take.get_by_role("button", name="Merge").click()
    expect(take.locator(".q-wrong")).to_contain_text("exists already")

    # A link to the run, followed after a reload, with all that was done.
    about.get_by_role("button", name="Copy link").click()
    link = clipboard(page, "http")
    assert link == f"{dashboard.url}?run={run}"
    page.goto(link)
    expect(page.locator("#qr-opened .qr-run")).to_have_text(run)
    expect(take).to_contain_text(str(merged))
    about.get_by_role("button", name="Copy command").click()
    assert f"train nano --plan {run_folder(run) / 'plan.json'}" in clipboard(page, "python")


def test_a_run_that_left_nothing_and_a_link_to_nothing(page: Page, dashboard: Dashboard) -> None:
    folder = finished("left-nothing", 0.01)
    page.goto(f"{dashboard.url}?run={folder.name}")
    expect(page.locator("#qr-opened .qr-run")).to_have_text(folder.name)
    expect(page.locator("#qr-talk")).to_contain_text("left no trained tensors")
    expect(page.locator("#qr-take h3")).to_have_count(0)
    page.goto(f"{dashboard.url}?run=20200101-000000-gone")
    expect(page.locator("#qr-table .q-wrong").first).to_contain_text(re.compile("no run .*gone"))


def test_the_dashboard_s_end_is_the_playground_s(dashboard: Dashboard) -> None:
    """The process that the first test has talked to."""
    assert place.living() is not None
    dashboard.stop(kill=True)
    until(lambda: place.living() is None, 60)
