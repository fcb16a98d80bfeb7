"""The Inspect tab in a real Chromium: the tree, its keys, search, panel and copies."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Dashboard, clipboard, type_to

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def rows(page: Page) -> Locator:
    return page.locator(".qi-row")


def row(page: Page, name: str) -> Locator:
    return page.locator(".qi-row", has=page.locator(f'.qi-label[title="{name}"]'))


def active(page: Page) -> str:
    tree = page.get_by_role("tree")
    found = page.locator(f"#{tree.get_attribute('aria-activedescendant')} .qi-label")
    return found.get_attribute("title") or ""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.fixture
def tree(page: Page) -> Page:
    page.wait_for_selector(".qi-row")
    page.get_by_role("tree").focus()
    return page


def test_the_first_sight_is_the_blocks_and_what_one_is_made_of(tree: Page) -> None:
    fold = tree.locator(".qi-row.is-fold")
    expect(fold).to_contain_text("0-27 · 28 × Qwen2DecoderLayer")
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(row(tree, "model.layers.0.self_attn")).to_be_visible()
    expect(row(tree, "model.layers.9")).to_be_visible()


def test_the_diagram_is_whole_in_the_first_sight(tree: Page) -> None:
    picture = tree.locator(".qi-picture svg")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 900
    panel = tree.locator(".qi-panel")
    assert panel.evaluate("node => getComputedStyle(node).overflowY") == "visible"


def test_the_parts_of_a_block_stand_in_the_order_of_the_data(tree: Page) -> None:
    def place(inside: str) -> dict[str, float]:
        box = tree.locator(f'.qi-picture [data-inside="{inside}"]').bounding_box()
        assert box
        return {"top": box["y"], "bottom": box["y"] + box["height"]}

    tops = {place(f"self_attn.{name}_proj")["top"] for name in "qkv"}
    assert len(tops) == 1
    assert place("self_attn.o_proj")["top"] > place("self_attn.q_proj")["bottom"]
    assert place("mlp.down_proj")["top"] > place("mlp.up_proj")["bottom"]
    assert place("mlp.gate_proj")["top"] == place("mlp.up_proj")["top"]


def test_a_folded_head_that_is_tied_says_so(tree: Page) -> None:
    press(tree, "End")
    expect(row(tree, "lm_head").locator(".qi-tied")).to_have_text("= model.embed_tokens")
    expect(row(tree, "lm_head")).to_have_attribute("aria-expanded", "false")


def test_every_row_can_be_reached_by_keys(tree: Page) -> None:
    press(tree, "Home")
    assert active(tree) == ""  # the model itself has no name
    press(tree, "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")
    press(tree, "ArrowLeft")
    expect(tree.locator(".qi-row.is-fold")).to_have_attribute("aria-expanded", "false")
    press(tree, "ArrowRight")
    expect(tree.locator(".qi-row.is-fold")).to_have_attribute("aria-expanded", "true")
    press(tree, "ArrowRight", "ArrowRight")
    assert active(tree) == "model.layers.0.self_attn"
    press(tree, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    assert active(tree) == "model.layers.0.self_attn.q_proj.weight"
    expect(tree.locator(".qi-detail h2")).to_have_text("model.layers.0.self_attn.q_proj.weight")
    press(tree, "ArrowLeft", "ArrowLeft")
    assert active(tree) == "model.layers.0.self_attn.q_proj"
    press(tree, "End")
    assert active(tree) == "lm_head"
    press(tree, "Home", "n")
    assert active(tree) == "model.norm"


def test_typing_quickly_finds_by_more_than_one_letter(tree: Page) -> None:
    press(tree, "Home")
    type_to(tree, "lm_", lambda: active(tree) == "lm_head")


def test_a_tree_item_says_what_it_is(tree: Page) -> None:
    item = tree.get_by_role("treeitem", name=re.compile(r"^embed_tokens, Embedding, 233,373,696"))
    expect(item).to_have_attribute("aria-level", "3")
    expect(item).to_have_attribute("aria-expanded", "false")
    expect(item).to_have_attribute("aria-posinset", "1")
    expect(item).to_have_attribute("aria-setsize", "4")


def test_search_by_name_role_kind_and_regular_expression(tree: Page) -> None:
    box = tree.get_by_role("searchbox", name="Search modules and tensors")
    found = tree.locator(".qi-found")
    box.fill("kind:self_attn.q_proj.bias")
    expect(found).to_contain_text("28 found, 28 of them tensors")
    box.fill("role:embedding")
    expect(found).to_contain_text("found")
    box.fill("layers.2.")
    expect(row(tree, "model.layers.20")).to_have_count(0)
    box.fill("24.k_proj")
    expect(found).to_contain_text("3 found, 2 of them tensors")
    expect(tree.locator(".qi-detail h2")).to_have_text("model.layers.24.self_attn.k_proj")
    box.fill("role:norm 2")  # a whole number is an index: neither 20 nor Qwen2
    expect(found).to_contain_text("4 found, 2 of them tensors")
    tree.get_by_role("button", name="Regular expression", exact=True).click()
    box.fill(r"^model\.layers\.2\d\.mlp\.up_proj\.weight$")
    expect(found).to_contain_text("8 found, 8 of them tensors")
    box.fill("(")
    expect(box).to_have_attribute("aria-invalid", "true")
    box.press("Escape")
    expect(found).to_contain_text("710 modules and tensors")


def test_a_search_is_copied_as_names_and_as_a_regular_expression(tree: Page) -> None:
    tree.get_by_role("searchbox").fill("kind:self_attn.v_proj.bias")
    tree.get_by_role("button", name="Copy names").click()
    copied = clipboard(tree, "model")
    assert copied.split("\n") == [f"model.layers.{i}.self_attn.v_proj.bias" for i in range(28)]
    tree.get_by_role("button", name="Copy as regex").click()
    # The expression is made by Python; until then the clipboard holds the names.
    pattern = clipboard(tree, "^")
    assert re.search(pattern, "model.layers.2.self_attn.v_proj.bias")
    assert not re.search(pattern, "model.layers.2.self_attn.q_proj.bias")


def test_the_panel_explains_and_shows_the_source(tree: Page) -> None:
    tree.get_by_role("searchbox").fill("layers.0.self_attn.k_proj.weight")
    row(tree, "model.layers.0.self_attn.k_proj.weight").click()
    detail = tree.get_by_role("region", name="Selected module")
    expect(detail).to_contain_text("256 outputs: 2 key-value heads × 128")
    detail.locator("summary", has_text="Source:").click()
    expect(detail.locator("pre")).to_contain_text("class Linear(")
    # Selecting the row once more leaves what was unfolded.
    row(tree, "model.layers.0.self_attn.k_proj.weight").click()
    # The panel must not ask again, which leaves no state to wait for: it would ask within 60 ms.
    time.sleep(0.5)
    expect(detail.locator("pre")).to_be_visible()
    expect(detail.locator("pre")).to_contain_text("class Linear(")


def test_the_tree_says_what_the_plan_trains(tree: Page) -> None:
    """The plan on load is attention-only on the last four blocks."""
    tree.get_by_role("searchbox").fill("27 o_proj.weight")
    expect(row(tree, "model.layers.27.self_attn.o_proj.weight").locator(".trains")).to_be_visible()
    expect(row(tree, "model.layers.27").locator(".partly")).to_be_visible()
    expect(
        tree.get_by_role("treeitem", name=re.compile(r"^27, .*, partly trained$"))
    ).to_have_count(1)
    tree.get_by_role("searchbox").fill("2 o_proj.weight")
    frozen = row(tree, "model.layers.2.self_attn.o_proj.weight")
    expect(frozen).to_be_visible()
    expect(frozen.locator(".trains, .partly")).to_have_count(0)


def test_what_was_found_is_selected_when_the_selected_is_hidden(tree: Page) -> None:
    tree.get_by_role("searchbox").fill("27 down_proj.weight")
    expect(tree.locator(".qi-detail h2")).to_have_text("model.layers.27.mlp.down_proj.weight")
    lit = tree.locator(".qi-picture .lit")
    expect(lit).to_have_attribute("data-inside", "mlp.down_proj")


def test_values_of_a_tensor_are_measured_on_request(tree: Page) -> None:
    box = tree.locator("#q-picker input")
    box.fill("nano")
    box.press("Enter")
    expect(tree.locator(".qi-inspector")).to_have_attribute("data-source", "nano")
    tree.get_by_role("searchbox").fill("3 k_proj.weight")
    tree.get_by_role("button", name="Measure values").click()
    expect(tree.locator(".qi-values")).to_contain_text("standard deviation")
    expect(tree.locator(".qi-values")).to_contain_text("of 64")
    expect(tree.locator(".qi-spectrum li")).to_have_count(8)


def test_another_model_replaces_the_tree(tree: Page) -> None:
    box = tree.locator("#q-picker input")
    box.fill("nano")
    box.press("Enter")
    expect(tree.locator(".qi-inspector")).to_have_attribute("data-source", "nano")
    expect(row(tree, "").locator(".qi-count")).to_have_attribute("title", "6,043,776 parameters")


def test_few_rows_are_drawn_however_many_are_open(tree: Page) -> None:
    tree.get_by_role("button", name="Expand all").click()
    assert rows(tree).count() < 80
    press(tree, "Tab")
    tree.get_by_role("tree").focus()
    press(tree, "End")
    assert active(tree) == "lm_head.weight"
    tree.get_by_role("button", name="Collapse all").click()
    expect(rows(tree)).to_have_count(3)


@pytest.mark.parametrize(
    ("link", "source"),
    [
        ("?model=nano", "nano"),
        ("?model=qwen2.5-1.5b-instruct", "qwen2.5-1.5b-instruct"),
        ("?model=no-such-model", "qwen2.5-1.5b-instruct"),  # the header says so
    ],
)
def test_a_link_opens_the_tree_of_its_model(
    browser: Browser, dashboard: Dashboard, link: str, source: str
) -> None:
    page = browser.new_page()
    page.goto(f"{dashboard.url}{link}")
    expect(page.locator(".qi-inspector")).to_have_attribute("data-source", source)
    expect(page.locator(".qi-found")).to_contain_text("modules and tensors")
    page.close()
