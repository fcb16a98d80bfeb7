"""The Compare tab in a real Chromium: the one button, the curves, the verdict, and a reload."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.tiny_models import save_model

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
MINUTES_MS = 270_000


def test_one_click_gives_a_verdict_that_a_reload_finds_again(page: Page, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Compare").click()
    form = page.locator("#qc-form")
    form.get_by_label("Steps").fill("4")
    form.get_by_label("Seeds").fill("1")
    form.get_by_label("Seeds").press("Tab")
    page.get_by_role("button", name="Attention-only vs BitFit").click()
    view = page.locator("#qc-view")
    # Two searches for rates, and two runs that wait for them.
    expect(view.locator(".qc-run")).to_have_count(4, timeout=60_000)
    verdict = view.get_by_role("status")
    expect(verdict).to_contain_text("this is no verdict", timeout=MINUTES_MS)
    expect(view.locator(".qc-table tbody tr")).to_have_count(2)
    expect(view.locator(".qc-plot .scatterlayer").first).to_be_attached()
    expect(view.locator(".qc-samples section")).to_have_count(2)
    headline = view.locator(".qc-headline")
    expect(headline).to_contain_text("on one seed")
    expect(view.locator(".qc-setup")).to_contain_text("kjv-train.txt")
    expect(view.locator(".qc-setup")).to_contain_text("austen-keep.txt")
    expect(verdict).to_contain_text("and forgets")
    expect(view.get_by_role("columnheader", name="forgets")).to_be_visible()
    expect(view.get_by_text("Gain against forgetting")).to_be_visible()
    with page.expect_download() as told:
        view.get_by_role("button", name="HTML").click()
    file = tmp_path / "comparison.html"
    told.value.save_as(file)
    report = page.context.new_page()
    report.route("http**", lambda route: route.abort())
    report.goto(file.as_uri())
    expect(report.locator("h1")).to_have_text(headline.inner_text(), ignore_case=True)
    expect(report.locator("svg")).to_have_count(5)
    report.close()
    said = verdict.inner_text()
    page.reload()
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#qc-view").get_by_role("status")).to_have_text(said, timeout=60_000)
    page.set_viewport_size({"width": 1024, "height": 900})
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body.dark")).to_be_attached()
    line = "getComputedStyle(document.body).getPropertyValue('--q-line').trim()"
    for plot in ("plot => plot", "plot => plot.parentNode.nextSibling.querySelector('.qc-plot')"):
        page.wait_for_function(
            f"""() => {{
              const plot = ({plot})(document.querySelector('.qc-plot'));
              return plot._fullLayout && plot._fullLayout.xaxis.gridcolor === {line}
                && plot.getBoundingClientRect().height === 320;
            }}"""
        )


def test_the_scores_of_the_blocks_are_shown_beside_each_other(page: Page, tmp_path: Path) -> None:
    small = save_model(tmp_path / "small", "qwen2", num_hidden_layers=6)
    page.locator("#q-picker input").fill(str(small))
    page.locator("#q-picker input").press("Enter")
    expect(page.locator("#q-facts")).to_contain_text("blocks6")
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="By index or by rank").click()
    page.get_by_role("button", name="Show the scores").click()
    ranking = page.locator("#qc-ranking")
    heat, agreement = ranking.locator("table").nth(0), ranking.locator("table").nth(1)
    expect(heat.locator("tbody tr")).to_have_count(9, timeout=MINUTES_MS)
    expect(heat.locator("tbody tr").first.locator("td.qk-cell")).to_have_count(6)
    expect(heat.locator("tbody tr").first.locator(".qk-top")).to_have_count(4)
    expect(agreement.locator("tbody td")).to_have_count(81)
    ranking.get_by_label("Scored by").select_option("all")
    expect(ranking.locator(".qc-note").first).to_contain_text("all tensors")
    heat.get_by_role("button", name="Use").last.click()
    expect(ranking.get_by_text("The plan in force is attention on blocks")).to_be_visible()
    expect(page.locator("#q-summary")).not_to_contain_text("blocks 2-5")
    ranking.get_by_text("What each score is, and whose").click()
    expect(ranking.get_by_text("arXiv 2403.03853")).to_be_visible()
