"""The README as package registries show it: a hook that hatchling calls when it builds.

A registry shows neither the front matter of a Space nor what a relative link leads to, so the front
matter and pictures are left out and relative links become their words.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class WheelReadme(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": registry_text(text)}


def registry_text(readme: str) -> str:
    """The README without front matter, pictures and relative links."""
    if readme.startswith("---\n"):
        readme = readme.split("---\n", 2)[2].lstrip()
    readme = re.sub(r"^!\[[^\]]*\]\([^)]*\)\n+", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\((?![a-z]+://)[^)]*\)", r"\1", readme)
