"""Choosing what trains, with mouse and keyboard, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from qwen_ui.freeze import FreezePlan, preset
from tests.browser.conftest import Dashboard, clipboard, type_to

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def freeze(page: Page) -> Page:
    page.get_by_role("tab", name="Freeze").click()
    expect(page.locator(".qs-trainable")).to_have_text("22,028,288")
    return page


def cell(page: Page, block: int, kind: str) -> Locator:
    return page.get_by_role("checkbox", name=f"block {block} {kind}", exact=True)


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=name, exact=True)


def active(page: Page) -> str:
    """The label of the grid's active cell."""
    cell = page.get_by_role("grid").get_attribute("aria-activedescendant")
    return page.locator(f"#{cell}").get_attribute("aria-label") or ""


def more_options(page: Page) -> None:
    page.get_by_role("button", name="More options").click()


def trains(page: Page, count: str) -> None:
    """The browser's own count, and Python's after it."""
    expect(page.locator(".qs-trainable")).to_have_text(count)
    expect(page.locator("#q-summary")).to_contain_text(count if count != "0" else "none of")


def test_presets_and_single_cells(freeze: Page) -> None:
    freeze.get_by_role("button", name="BitFit", exact=True).click()
    trains(freeze, "8,192")
    expect(freeze.locator(".qs-share")).to_have_text("0.00053 %")
    expect(freeze.locator(".qs-notes")).to_contain_text("No bias exists")
    one = cell(freeze, 3, "self_attn.q_proj.bias")
    expect(one).to_have_attribute("aria-checked", "false")
    one.click()
    expect(one).to_have_attribute("aria-checked", "true")
    trains(freeze, "9,728")
    expect(box(freeze, "block 3")).to_have_attribute("aria-checked", "mixed")
    expect(box(freeze, "block 2")).to_have_attribute("aria-checked", "false")
    one.click()
    trains(freeze, "8,192")


def test_heads_of_row_column_role_and_all(freeze: Page) -> None:
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    box(freeze, "block 5").click()
    trains(freeze, "46,797,824")
    box(freeze, "block 5").click()
    box(freeze, "self_attn.v_proj.bias in all blocks").click()
    trains(freeze, f"{28 * 256:,}")
    box(freeze, "attention in all blocks").click()
    trains(freeze, "154,198,016")
    expect(box(freeze, "block 9")).to_have_attribute("aria-checked", "mixed")
    box(freeze, "everything").click()
    trains(freeze, "1,543,714,304")
    expect(box(freeze, "lm_head.weight")).to_have_attribute("aria-checked", "true")


def test_a_tied_head_is_one_tensor(freeze: Page) -> None:
    freeze.get_by_role("button", name="None", exact=True).click()
    box(freeze, "lm_head.weight").click()
    trains(freeze, "233,373,696")
    expect(box(freeze, "model.embed_tokens.weight")).to_have_attribute("aria-checked", "true")
    expect(freeze.locator(".qs-notes")).to_contain_text("one tensor (tied)")


SLOW_SERVER = """() => {
  const fetched = window.fetch;
  window.fetch = async (...asked) => {
    if (String(asked[0]).includes("component_server")) await new Promise((f) => setTimeout(f, 600));
    return fetched(...asked);
  };
}"""


def test_ticks_made_while_python_answers_stand(freeze: Page) -> None:
    freeze.evaluate(SLOW_SERVER)
    freeze.get_by_role("button", name="MLP").click()
    freeze.get_by_role("button", name="None", exact=True).click()
    box(freeze, "lm_head.weight").click()
    trains(freeze, "233,373,696")
    expect(freeze.locator(".qs-notes")).to_contain_text("one tensor (tied)")


def test_a_preset_clicked_before_the_model_is_read_is_taken(page: Page) -> None:
    page.evaluate(SLOW_SERVER)
    page.get_by_role("tab", name="Freeze").click()
    page.get_by_role("button", name="BitFit", exact=True).click()
    trains(page, "8,192")


@contextmanager
def held(page: Page, urls: str) -> Iterator[None]:
    """Requests to these addresses are not sent before the block ends."""
    waiting: list[Route] = []
    ended = False

    def hold(route: Route) -> None:
        if ended:
            route.continue_()
        else:
            waiting.append(route)

    page.route(urls, hold)
    yield
    ended = True
    for route in waiting:
        route.continue_()


def test_the_grid_is_filled_and_answers_though_its_scripts_come_late(
    browser: Browser, dashboard: Dashboard
) -> None:
    """The plan comes before them, and clicks are not lost."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    with held(page, "**/modules/**/freeze/*.js"):
        page.goto(dashboard.url)
        page.get_by_role("tab", name="Freeze").click()
        expect(page.locator("#q-summary")).to_contain_text("22,028,288")
        expect(page.locator(".qs-presets")).to_be_visible()
        expect(page.locator(".qs-body")).to_have_count(0)
        bitfit = page.locator("[data-preset=bitfit]")
        assert bitfit.evaluate("node => node.closest('[inert]') !== null")
    expect(cell(page, 24, "self_attn.q_proj.weight")).to_have_attribute("aria-checked", "true")
    bitfit.click()
    trains(page, "8,192")
    page.close()


def test_undo_takes_back_the_last_that_the_hand_did_though_python_answered_later(
    freeze: Page,
) -> None:
    freeze.evaluate(SLOW_SERVER)
    freeze.get_by_role("button", name="None", exact=True).click()
    cell(freeze, 4, "self_attn.q_proj.weight").click()
    cell(freeze, 9, "self_attn.k_proj.bias").click(modifiers=["Shift"])
    expect(freeze.locator(".qs-tensors")).to_have_text("24 of 338")
    for left in ("1", "0", "28"):
        freeze.get_by_role("button", name="Undo").click()
        expect(freeze.locator(".qs-tensors")).to_have_text(f"{left} of 338")
    for come in ("0", "1", "24"):
        freeze.get_by_role("button", name="Redo").click()
        expect(freeze.locator(".qs-tensors")).to_have_text(f"{come} of 338")
    more_options(freeze)
    freeze.get_by_role("radio", name="Add").click()
    freeze.get_by_role("button", name="Norms").click()
    cell(freeze, 0, "self_attn.q_proj.weight").click()
    cell(freeze, 1, "self_attn.q_proj.weight").click()
    expect(freeze.locator(".qs-tensors")).to_have_text(f"{24 + 57 + 2} of 338")
    for count in (24 + 57 + 1, 24 + 57, 24):
        freeze.get_by_role("button", name="Undo").click()
        expect(freeze.locator(".qs-tensors")).to_have_text(f"{count} of 338")


def test_presets_combine(freeze: Page) -> None:
    more_options(freeze)
    freeze.get_by_role("radio", name="Add").click()
    freeze.get_by_role("button", name="Norms").click()
    trains(freeze, f"{22_028_288 + 87_552:,}")
    freeze.get_by_role("radio", name="Remove").click()
    freeze.get_by_role("button", name="BitFit", exact=True).click()
    trains(freeze, f"{22_028_288 + 87_552 - 8_192:,}")


def test_layers_and_regular_expressions(freeze: Page) -> None:
    layers = freeze.get_by_role("textbox", name="Blocks", exact=True)
    layers.fill("first:2")
    layers.press("Enter")
    trains(freeze, f"{2 * 5_507_072:,}")
    layers.fill("top4")
    layers.press("Enter")
    expect(freeze.locator(".qs-said")).to_contain_text("is not understood")
    trains(freeze, f"{2 * 5_507_072:,}")
    more_options(freeze)
    pattern = freeze.get_by_label("Regular expression over names")
    pattern.fill(r"layers\.2\.")
    expect(freeze.locator(".qs-said")).to_have_text("12 tensors match, 46,797,824 parameters")
    expect(freeze.locator(".qs-marked")).to_have_count(12)
    freeze.get_by_role("button", name="Use", exact=True).click()
    trains(freeze, "46,797,824")
    pattern.fill("(q|")
    expect(freeze.locator(".qs-said")).to_contain_text("not a valid regular expression")
    trains(freeze, "46,797,824")


def test_a_drag_over_a_hundred_cells_is_one_step(freeze: Page) -> None:
    freeze.set_viewport_size({"width": 1440, "height": 1300})
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    for kind in ("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight"):
        start = cell(freeze, 0, f"self_attn.{kind}").bounding_box()
        end = cell(freeze, 26, f"self_attn.{kind}").bounding_box()
        assert start
        assert end
        if kind == "q_proj.weight":
            freeze.mouse.move(start["x"] + 4, start["y"] + 4)
            freeze.mouse.down()
        for place in (start, end) if kind[0] in "qv" else (end, start):
            freeze.mouse.move(place["x"] + 4, place["y"] + 4)
    freeze.mouse.up()
    # On its way from column to column the drag crossed a bias of each of q, k and v.
    painted = 27 * (2 * 1536 * 1536 + 2 * 256 * 1536) + 1536 + 2 * 256
    trains(freeze, f"{painted:,}")
    expect(freeze.locator(".qs-tensors")).to_have_text("111 of 338")
    freeze.locator(".qs-grid").press("Control+z")
    trains(freeze, "0")
    freeze.locator(".qs-grid").press("Control+Shift+z")
    trains(freeze, f"{painted:,}")


def test_shift_click_takes_a_range(freeze: Page) -> None:
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    cell(freeze, 4, "self_attn.q_proj.weight").click()
    cell(freeze, 9, "self_attn.k_proj.bias").click(modifiers=["Shift"])
    expect(freeze.locator(".qs-tensors")).to_have_text("24 of 338")
    freeze.get_by_role("button", name="Undo").click()
    expect(freeze.locator(".qs-tensors")).to_have_text("1 of 338")


def test_the_grid_answers_the_keyboard(freeze: Page) -> None:
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    grid = freeze.get_by_role("grid")
    grid.focus()
    type_to(freeze, "12", lambda: active(freeze).startswith("block 12"))
    freeze.keyboard.press("ArrowRight")
    freeze.keyboard.press("Space")
    expect(cell(freeze, 12, "self_attn.q_proj.weight")).to_have_attribute("aria-checked", "true")
    freeze.keyboard.press("Shift+ArrowDown")
    expect(cell(freeze, 13, "self_attn.q_proj.weight")).to_have_attribute("aria-checked", "true")
    freeze.keyboard.press("Shift+Space")
    expect(box(freeze, "block 13")).to_have_attribute("aria-checked", "true")
    freeze.keyboard.press("Control+Space")
    expect(box(freeze, "self_attn.q_proj.weight in all blocks")).to_have_attribute(
        "aria-checked", "true"
    )
    assert active(freeze) == "block 13 self_attn.q_proj.weight"
    freeze.keyboard.press("Control+a")
    trains(freeze, "1,543,714,304")


def test_the_tree_shows_the_same_selection(freeze: Page) -> None:
    more_options(freeze)
    freeze.get_by_role("radio", name="Tree").click()
    tree = freeze.get_by_role("treegrid")
    expect(tree.get_by_role("checkbox", name="model.layers.24", exact=True)).to_have_attribute(
        "aria-checked", "mixed"
    )
    tree.get_by_role("checkbox", name="model.layers.3", exact=True).click()
    trains(freeze, f"{22_028_288 + 46_797_824:,}")
    freeze.keyboard.press("ArrowRight")
    tree.get_by_role("checkbox", name="model.layers.3.mlp", exact=True).click()
    trains(freeze, f"{22_028_288 + 46_797_824 - 41_287_680:,}")
    freeze.get_by_role("radio", name="Grid").click()
    expect(cell(freeze, 3, "mlp.up_proj.weight")).to_have_attribute("aria-checked", "false")
    expect(cell(freeze, 3, "self_attn.k_proj.bias")).to_have_attribute("aria-checked", "true")


def test_the_logarithmic_scale_shows_what_the_linear_one_hides(freeze: Page) -> None:
    freeze.get_by_role("button", name="BitFit", exact=True).click()
    trains(freeze, "8,192")
    bar = freeze.locator(".qs-wide i")
    box_of_bar = bar.bounding_box()
    assert box_of_bar is not None
    assert box_of_bar["width"] < 1
    more_options(freeze)
    freeze.get_by_role("radio", name="Log").click()
    freeze.wait_for_function(
        "() => document.querySelector('.qs-wide i').getBoundingClientRect().width > 60"
    )


def test_a_plan_is_downloaded_and_loaded_again(freeze: Page, tmp_path: Path) -> None:
    with freeze.expect_download() as download:
        freeze.get_by_role("button", name="Download plan").click()
    file = tmp_path / "plan.json"
    download.value.save_as(file)
    assert FreezePlan.from_json(file.read_text()).rules == preset("attention").rules
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    freeze.locator(".qs-file").set_input_files(file)
    trains(freeze, "22,028,288")
    file.write_text('{"schema": 9}')
    freeze.locator(".qs-file").set_input_files(file)
    expect(freeze.locator(".qs-said")).to_contain_text("has schema 9")
    trains(freeze, "22,028,288")


def test_plans_are_kept(freeze: Page) -> None:
    freeze.get_by_label("Name to save the plan under").fill("top four <b>")
    freeze.get_by_role("button", name="Save", exact=True).click()
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    freeze.get_by_role("button", name="top four <b>", exact=True).click()
    trains(freeze, "22,028,288")
    freeze.get_by_role("button", name="Delete the plan top four <b>").click()
    expect(freeze.locator(".qs-kept li")).to_have_count(0)


def test_sentence_and_link_are_copied(freeze: Page, browser: Browser) -> None:
    freeze.get_by_role("button", name="BitFit", exact=True).click()
    trains(freeze, "8,192")
    freeze.get_by_role("button", name="Copy sentence").click()
    expect(freeze.get_by_role("button", name="Copied")).to_be_visible()
    clipboard(freeze, "Trains 8,192 of 1,543,714,304 parameters")
    freeze.get_by_role("button", name="Copy link").click()
    link = clipboard(freeze, "http")
    assert "plan=" in link
    other = browser.new_page()
    other.goto(link)
    expect(other.locator("#q-summary")).to_contain_text("8,192", timeout=60_000)
    other.close()


def test_a_plan_of_a_link_and_another_model(browser: Browser, dashboard: Dashboard) -> None:
    page = browser.new_page()
    plan = quote(json.dumps(preset("mlp", layers="last:1").to_dict()))
    page.goto(f"{dashboard.url}?model=nano&plan={plan}")
    page.get_by_role("tab", name="Freeze").click()
    expect(box(page, "block 27")).to_have_attribute("aria-checked", "mixed", timeout=60_000)
    picker = page.locator("#q-picker input")
    picker.fill("qwen2.5-0.5b-instruct")
    picker.press("Enter")
    expect(page.locator(".qs")).to_have_attribute("data-source", re.compile("0.5b"))
    expect(box(page, "block 23")).to_have_attribute("aria-checked", "mixed")
    expect(box(page, "block 22")).to_have_attribute("aria-checked", "false")
    page.close()


def test_a_quick_hand_is_never_undone(freeze: Page) -> None:
    """Ticks made while earlier ones are on their way survive the answers to these."""
    freeze.get_by_role("button", name="None", exact=True).click()
    trains(freeze, "0")
    for block in range(12):
        cell(freeze, block, "self_attn.q_proj.bias").click()
        # The hand's own pace, at which answers arrive between the clicks.
        freeze.wait_for_timeout(40 + 30 * (block % 5))
    trains(freeze, f"{12 * 1536:,}")


def test_few_choices_at_first_and_what_is_in_use_is_told(freeze: Page) -> None:
    choices = "#qs-main :is(button, input, select):visible"
    before = "node => node.closest('.qs-choose, .qs-tools') !== null"
    assert sum(choice.evaluate(before) for choice in freeze.locator(choices).all()) == 10
    layers = freeze.get_by_role("textbox", name="Blocks", exact=True)
    expect(layers).to_have_attribute("placeholder", "last:4")
    freeze.get_by_role("button", name="MLP").click()
    expect(layers).to_have_attribute("placeholder", "all")
    more = freeze.get_by_role("button", name="More options")
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    freeze.get_by_role("radio", name="Remove").click()
    more.click()
    expect(freeze.get_by_role("button", name="More options (in use)")).to_be_visible()
    expect(freeze.get_by_role("radio", name="Remove")).to_be_hidden()


def test_price_and_export_are_beside_the_grid(freeze: Page) -> None:
    brief = freeze.locator(".qf-brief")
    expect(brief).to_contain_text("8.12 TFLOP (42.8 %)")
    place = freeze.locator(".qf-export").bounding_box()
    assert place
    assert place["y"] < 900
    brief.get_by_role("button", name="All figures and settings").click()
    expect(freeze.get_by_label("Batch size", exact=True)).to_be_focused()
    expect(freeze.locator(".qf-price h2")).to_be_in_viewport()


def test_cells_are_shaded_and_the_top_blocks_taken(freeze: Page) -> None:
    picker = freeze.locator("#q-picker input")
    picker.fill("nano")
    picker.press("Enter")
    expect(freeze.locator(".qs")).to_have_attribute("data-source", "nano")
    heat = freeze.get_by_label("Heat of the cells")
    heat.select_option("count")
    q, norm = (
        cell(freeze, 3, kind) for kind in ("self_attn.q_proj.weight", "input_layernorm.weight")
    )
    shade = "node => Number(node.dataset.heat)"
    assert q.evaluate(shade) > norm.evaluate(shade)
    expect(freeze.locator(".qs-ramp-cells")).to_contain_text("49,200 (log)")
    expect(heat.locator("optgroup")).to_have_count(2)
    heat.select_option("weight:share of zeros")
    expect(freeze.locator(".qs-heat-said")).to_have_text("Share of zeros of each tensor of nano.")
    heat.select_option("rank:activation")
    take = freeze.get_by_role("button", name="Take the top")
    take.click()
    expect(freeze.locator("#q-summary")).not_to_contain_text("blocks 24-27")
    expect(freeze.locator(".qs-touched")).to_have_text("4 of 28")
    row = box(freeze, "block 3").locator("..")
    row.hover()
    assert re.search(r"rank by activation: 0\.\d+", row.get_attribute("title") or "")


def test_a_pasted_selection_is_read_by_its_tool_s_rule_and_becomes_the_plan(freeze: Page) -> None:
    panel = freeze.locator(".qf-pasted")
    text, said = panel.locator(".qs-text"), panel.locator(".qf-pasted-said")
    text.fill("model.norm.weight\nmodel.layers.3.mlp.up_proj.weight")
    panel.get_by_role("button", name="Read it").click()
    expect(said).to_contain_text("2 train")
    expect(panel.locator("tbody tr")).to_have_count(2)
    expect(panel.locator("tbody tr").first).to_contain_text("model.norm.weight")
    panel.get_by_role("button", name="Use as plan").click()
    expect(freeze.locator(".qs-tensors")).to_have_text("2 of 338")
    # A typo is named with what was meant, and what is right is still taken.
    text.fill(json.dumps({"peft_type": "LORA", "target_modules": ["q_porj", "v_proj"]}))
    panel.get_by_role("button", name="Read it").click()
    expect(panel.locator(".qf-pasted-error")).to_contain_text("The nearest name is 'q_proj'")
    panel.get_by_role("button", name="Use as plan").click()
    expect(freeze.locator(".qs-tensors")).to_have_text("28 of 338")
    kinds = ["self_attn.q_proj.bias", "self_attn.q_norm.weight"]
    text.fill(json.dumps({"schema": 1, "rules": [{"layers": "last:1", "kinds": kinds}]}))
    panel.get_by_role("button", name="Read it").click()
    expect(panel.locator(".qf-pasted-problems")).to_contain_text("doesn't have: self_attn.q_norm")
    # What is nothing of the kind is refused, and the plan stays.
    text.fill("merge_method: slerp")
    panel.get_by_role("button", name="Read it").click()
    expect(said).to_contain_text("recipe of mergekit")
    expect(panel.get_by_role("button", name="Use as plan")).to_be_hidden()
    expect(freeze.locator(".qs-tensors")).to_have_text("28 of 338")
