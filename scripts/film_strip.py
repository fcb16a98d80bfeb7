"""The first visit as a strip of pictures: from the opened page by one click to a verdict."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, expect

FRAME = (1200, 760)  # of the window
SHOWN = (600, 380)  # of a frame in the strip
CAPTION, GAP, COLUMNS, COLOURS = 30, 14, 2, 64
RUNS_MS = 900_000
GROUND, INK = "#f7f9fb", "#16202b"


@dataclass
class Strip:
    """Frames of a page with what they show. When is not told: that depends on the machine."""

    page: Page
    frames: list[tuple[str, Image.Image]] = field(default_factory=list)

    def take(self, said: str) -> None:
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append((f"{len(self.frames) + 1}. {said}", picture.resize(SHOWN)))

    def save(self, path: Path) -> None:
        """All frames in rows of two, in few colours: a document loads it."""
        rows = -(-len(self.frames) // COLUMNS)
        cell = (SHOWN[0] + GAP, SHOWN[1] + CAPTION + GAP)
        strip = Image.new("RGB", (cell[0] * COLUMNS + GAP, cell[1] * rows + GAP), GROUND)
        draw = ImageDraw.Draw(strip)
        for place, (said, picture) in enumerate(self.frames):
            left = GAP + cell[0] * (place % COLUMNS)
            top = GAP + cell[1] * (place // COLUMNS)
            draw.text((left, top + 6), said, INK, ImageFont.load_default(16))
            strip.paste(picture, (left, top + CAPTION))
            draw.rectangle(
                (left, top + CAPTION, left + SHOWN[0], top + CAPTION + SHOWN[1]), outline="#dde3ea"
            )
        strip.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def first_visit(page: Page, path: Path) -> None:
    """Make the visit on a page that was just opened on an empty dashboard."""
    strip = Strip(page)
    welcome = page.locator("section.q-welcome")
    expect(welcome.locator("li")).to_have_count(3)
    page.wait_for_timeout(1500)
    strip.take("The page opens: three lines, one button")
    welcome.locator("button.q-primary").click()
    page.wait_for_timeout(400)
    strip.take("One click: Compare is shown and starts")
    said = page.locator("#qc-launched .q-launched-said")
    expect(said).to_contain_text("tried", timeout=RUNS_MS)
    strip.take("Each plan's learning rate is found")
    expect(page.locator("#qc-view .qc-plot .scatterlayer").first).to_be_attached(timeout=RUNS_MS)
    expect(said).to_contain_text("seed 1", timeout=RUNS_MS)
    page.wait_for_timeout(1500)
    strip.take("The plans train, curve by curve")
    verdict = page.locator("#qc-view").get_by_role("status")
    expect(verdict).to_contain_text("shared seeds", timeout=RUNS_MS)
    page.wait_for_timeout(3000)
    strip.take("The verdict")
    page.locator("#qc-view .qc-table").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    strip.take("What it cost, and what each model writes")
    strip.save(path)
