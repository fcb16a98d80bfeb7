"""The page in Simplified Chinese: one whole journey, and nothing left in English on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Dashboard
from tests.helpers.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MISSES = "import('qwen/page/language.js').then((language) => [...language.misses])"
TEXT = "document.querySelector('.gradio-container').innerText"
SWITCH = "#q-language select"


@pytest.fixture
def opened(browser: Browser, dashboard: Dashboard) -> Iterator[Page]:
    """The nano twin, in a browser whose user reads Chinese."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{dashboard.url}?model=nano")
    page.wait_for_selector(".q-facts")
    yield page
    context.close()
    assert errors == []


def tab(page: Page, name: str) -> None:
    page.locator("#q-tabs").get_by_role("tab", name=name, exact=True).click()


def all_told(page: Page) -> None:
    """Nothing that the page has shown so far had to stay English; all that is folded is opened."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.evaluate(MISSES) == []


def test_a_journey_in_chinese(opened: Page) -> None:
    page = opened
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator(".q-facts")).to_contain_text("参数量")
    expect(page.locator(".q-summary")).to_contain_text("第 24-27 层")
    tree = page.locator(".qi-tree")
    expect(page.locator(".qi-found")).to_contain_text("个模块和张量")
    page.locator(".qi-open").click()
    tree.locator(".qi-label", has_text="k_proj").first.click()
    panel = page.locator(".qi-panel")
    expect(panel).to_contain_text("键投影：每个位置以什么被找到")
    # Names of modules, and what is code, stay as they are.
    expect(panel.locator("h2")).to_have_text("model.layers.0.self_attn.k_proj")
    expect(tree).to_contain_text("embed_tokens")
    all_told(page)
    picker = page.locator("#q-picker input")
    picker.fill("nanoo")
    picker.press("Enter")
    expect(page.locator("#q-header .q-reason")).to_contain_text("没有模型“nanoo”")
    all_told(page)
    picker.fill("nano")
    picker.press("Enter")
    for name, shown in (("冻结", ".qf-total, #q-tabs"), ("任务", "#qr-table"), ("对比", "#q-tabs")):
        tab(page, name)
        expect(page.locator(shown).first).to_be_visible()
        all_told(page)


def test_a_run_is_launched_and_watched_in_chinese(opened: Page) -> None:
    page = opened
    tab(page, "训练")
    steps = page.get_by_label("步数", exact=True)
    steps.fill("8")
    steps.press("Tab")
    expect(page.get_by_label("保留文本").first).to_be_visible()
    all_told(page)
    page.get_by_role("button", name="在 CPU 上启动").click()
    view = page.locator("#qt-run")
    expect(view.locator(".qr-badge")).to_have_text("已完成", timeout=240_000)
    expect(view).to_contain_text("评估损失")
    # What the model wrote is nobody's to translate.
    expect(view.locator(".qr-prompt").first).to_have_text("And it came to pass")
    all_told(page)
    tab(page, "任务")
    page.locator(".qr-open").first.click()
    expect(page.get_by_text("关于本任务")).to_be_visible()
    until(lambda: "与它对话" in str(page.evaluate(TEXT)), 60, lambda: str(page.evaluate(TEXT)))
    all_told(page)


def test_the_switch_goes_there_and_back_without_a_reload(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".qi-found")).to_contain_text("modules and tensors")
    expect(page.locator(".qi-diagram svg")).to_be_visible()
    before = page.evaluate(TEXT)
    page.locator(SWITCH).select_option("zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator(".qi-found")).to_contain_text("个模块和张量")
    page.locator(SWITCH).select_option("en")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.evaluate(TEXT) == before
    page.locator(SWITCH).select_option("zh-CN")
    page.reload()
    expect(page.locator(".q-facts")).to_contain_text("参数量")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_english_is_english_in_a_chinese_browser(opened: Page) -> None:
    page = opened
    page.locator(SWITCH).select_option("en")
    page.reload()
    expect(page.locator(".q-facts")).to_contain_text("parameters")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    text = page.evaluate(TEXT).replace("简体中文", "")
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in text)


def test_own_data_and_slurm_in_chinese(opened: Page) -> None:
    page = opened
    tab(page, "训练")
    page.locator("#qt-data input").nth(2).check()
    expect(page.locator("#qt-upload")).to_contain_text("点击上传")
    broken = b'{"text": "one"}\n{"prompt": "no answer"}\nnot JSON\n'
    given = {"name": "broken.jsonl", "mimeType": "text/plain", "buffer": broken}
    page.locator("#qt-upload input[type=file]").set_input_files(given)  # type: ignore[arg-type]
    expect(page.locator("#qt-form .q-data-mistakes")).to_contain_text("第 3 行")
    # gradio's list shows the name in two pieces, which are nobody's language.
    expect(page.locator("#qt-form .file-preview .filename")).to_have_text(" broken .jsonl ")
    page.locator(".q-guide-help").click()
    expect(page.locator("dialog[open]")).to_contain_text("关闭本页后仍会继续")
    page.keyboard.press("Escape")
    all_told(page)
    if page.locator("#qt-where").is_visible():  # on a machine with Slurm
        page.locator("#qt-where input").nth(1).check()
        expect(page.locator("#qt-slurm")).to_contain_text("分区")
        expect(page.locator("#qt-launch")).to_have_text("在 Slurm 上启动")


def test_a_run_is_talked_to_and_verified_in_chinese(opened: Page, dashboard: Dashboard) -> None:
    page = opened
    tab(page, "任务")
    run = re.findall(
        r"\d{8}-\d{6}-[\w-]+", page.locator(".qr-open").first.get_attribute("title") or ""
    )
    page.locator(".qr-open").first.click()
    prompt = page.locator(".qr-talk-form textarea")
    prompt.fill("And it came to pass")
    prompt.press("Enter")
    expect(page.locator(".qr-answer").first).to_contain_text("token", timeout=240_000)
    all_told(page)
    tab(page, "查看")
    page.locator(".qi-verify-field").fill(run[0])
    page.locator(".qi-verify-field").press("Enter")
    expect(page.locator(".qi-verify")).to_contain_text("方案得到了遵守", timeout=240_000)
    all_told(page)


def test_a_public_dashboard_in_chinese(browser: Browser, tmp_path: Path) -> None:
    server = Dashboard(tmp_path / "home", tmp_path / "dashboard.log", "--public")
    server.start()
    try:
        page = browser.new_context(locale="zh-CN").new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(server.url)
        expect(page.locator("#q-public")).to_contain_text("公开演示")
        for name in ("冻结", "训练", "任务", "对比"):
            tab(page, name)
            all_told(page)
        other = page.context.new_page()
        other.goto(f"{server.url}?model=/etc")
        expect(other.get_by_text("无法在本公开页面上打开")).to_be_visible()
        all_told(other)
    finally:
        server.stop()
