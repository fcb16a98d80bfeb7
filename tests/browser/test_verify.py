"""The section Verify in Chromium: begun, stopped, found again, reached from a run; a live grid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.runs import RunWriter, create_run
from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import open_tab, queue_held
from tests.helpers.checkpoint_families import change_weights, save_family
from tests.verify.conftest import copied

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WORK_MS = 180_000  # a process that imports torch, on a loaded machine
NAME = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base, and the same with one matrix doubled."""
    base = save_family(tmp_path_factory.mktemp("verify") / "base", "qwen2")
    tuned = copied(base, base.parent / "tuned")
    return base, change_weights(tuned, lambda w: w | {NAME: w[NAME] * 2})


@pytest.fixture
def section(page: Page, dashboard: Dashboard, pair: tuple[Path, Path]) -> Locator:
    page.goto(f"{dashboard.url}?model={pair[0]}")
    expect(page.locator(f'[data-source="{pair[0]}"]').first).to_be_visible()
    return page.locator("#qi-verify")


def test_a_verification_is_begun_and_found_again_after_a_reload(
    page: Page, section: Locator, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    expect(section.get_by_role("button", name="Stop")).to_be_hidden()
    section.get_by_label("Checkpoint").fill(str(pair[1]))
    section.get_by_label("Checkpoint").press("Enter")
    expect(section.get_by_role("progressbar")).to_be_visible()
    expect(section.get_by_role("button", name="Verify")).to_be_disabled()
    # Another page is loaded in the middle of it: the work goes on, and is found again.
    page.reload()
    said = section.get_by_role("status")
    expect(said).to_have_text("No errors. Changed tensors: 1; unchanged: 49.", timeout=WORK_MS)
    expect(section.get_by_label("Checkpoint")).to_have_value(str(pair[1]))
    expect(section.get_by_role("button", name="Stop")).to_be_hidden()
    cells = section.locator(".qi-verify-table tbody td").all_text_contents()
    assert cells[:2] == [NAME, "1"]
    with page.expect_download() as download:
        section.get_by_role("button", name="Download JSON").click()
    file = tmp_path / "found.json"
    download.value.save_as(file)
    assert [change["name"] for change in json.loads(file.read_text())["changed"]] == [NAME]
    # Held against the plan in force, which does not train that matrix.
    section.get_by_label("Hold against").select_option("current")
    section.get_by_role("button", name="Verify").click()
    expect(said).to_have_text(
        "The plan was not kept. Changed tensors: 1; unchanged: 49.", timeout=WORK_MS
    )
    expect(section.locator(".qi-verify-problems")).to_contain_text("that the plan freezes changed")


def test_a_verification_is_stopped_and_a_wrong_name_is_told(
    section: Locator, pair: tuple[Path, Path]
) -> None:
    section.get_by_label("Checkpoint").fill(str(pair[1]))
    section.get_by_role("button", name="Verify").click()
    section.get_by_role("button", name="Stop").click()
    expect(section.get_by_role("status")).to_have_text("Stopped.")
    expect(section.get_by_role("button", name="Verify")).to_be_enabled()
    section.get_by_label("Checkpoint").fill("/no/such/checkpoint")
    section.get_by_role("button", name="Verify").click()
    expect(section.get_by_text("There is no checkpoint")).to_be_visible(timeout=WORK_MS)
    expect(section.get_by_role("button", name="Verify")).to_be_enabled()


def with_pictures(home: Path) -> Path:
    """A run with two pictures of the top block's attention, and the beginning of a delta."""
    plan = preset("attention", "last:1")
    anatomy = open_model("nano")
    names = resolve(plan, anatomy).names
    kinds = [[p.kind, str(p.role), "0-27"] for p in anatomy.parameters if p.block == 0]
    trained = [p.kind for p in anatomy.parameters if p.name in names]
    given = {"model": "nano", "steps": 2, "plan": plan.to_dict()}
    with queue_held(), RunWriter(folder := create_run(given, {"name": "pictured"})) as run:
        run.event("start", step=0, steps=2)
        for step, ratio in ((1, 0.25), (2, 0.125)):
            rows = [[kind, [[27, ratio, 1.5]]] for kind in trained]
            first = {"kinds": kinds} if step == 1 else {}
            run.event("grid", step=step, rows=rows, **first)
            run.event("step", step=step, loss=5.0, elapsed=0.1 * step, seconds=0.1)
        run.event("end", status="completed")
        run.status("completed", step=2)
    (folder / "delta.safetensors").write_bytes(b"")
    return folder


def test_a_run_s_page_has_its_grid_and_leads_to_its_verification(
    page: Page, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))
    folder = with_pictures(dashboard.home)
    page.goto(f"{dashboard.url}?run={folder.name}")
    grid = page.locator("#qr-live")
    expect(grid.locator(".qr-live-step")).to_have_text("step 2")
    expect(grid).to_contain_text("0.125")
    slider = grid.get_by_label("Picture")
    slider.focus()
    page.keyboard.press("Home")
    expect(grid.locator(".qr-live-step")).to_have_text("step 1")
    expect(slider).to_have_attribute("aria-valuetext", "step 1")
    grid.get_by_label("Shade by").select_option("gradient")
    expect(grid).to_contain_text("1.5")
    page.get_by_role("link", name="Verify against the base").click()
    field = page.locator("#qi-verify").get_by_label("Checkpoint")
    expect(field).to_have_value(folder.name)
    expect(page.get_by_role("button", name="Verify", exact=True)).to_be_focused()
    open_tab(page, "Inspect")
