"""A hand at the page that counts what it does: clicks, keys and seconds of a journey."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page


@dataclass(slots=True)
class Hand:
    """Attributes: the page; clicks and keys so far; when it began (monotonic seconds)."""

    page: Page
    clicks: int = 0
    keys: int = 0
    began: float = field(default_factory=time.monotonic)

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def choose(self, what: Locator, value: str) -> None:
        """An entry of a list: one click opens it, one takes the entry."""
        what.select_option(value)
        self.clicks += 2

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.page.keyboard.type(text)
        self.keys += len(text)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.keys += len(keys)

    def told(self, journey: str) -> str:
        """One line for people: what the journey took."""
        seconds = time.monotonic() - self.began
        return f"{journey}: {self.clicks} clicks, {self.keys} keys, {seconds:.1f} s"
