"""The models that come with the tool, by name. Imports neither torch nor transformers."""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path

from qwen_ui.files import parse_json_file
from qwen_ui.paths import ASSETS

DEFAULT_MODEL = "qwen2.5-1.5b-instruct"
NANO = "nano"
# As huggingface_hub's `validate_repo_id` has it, which raises for what is none.
_HUB_ID = re.compile(
    r"(?!.*(?:--|\.\.|\.git$))[A-Za-z0-9][\w.\-]{0,95}(?<=\w)/[A-Za-z0-9][\w.\-]{0,95}(?<=\w)"
)


_LINK = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?:models/)?([^/?#]+/[^/?#]+)(?:[/?#].*)?"
    r"|hf://(?:models/)?([^/?#@]+/[^/?#@]+)(?:[/?#@].*)?"
)
_OTHER_THINGS = frozenset({"datasets", "spaces", "docs", "papers", "blog", "collections"})


def named_model(text: str) -> str:
    """The name that a person means by what they typed or pasted.

    A link to a model on the hub is its id, wherever on the model's pages it leads; quotes that a
    shell wanted, and `file://`, are no part of a name.
    """
    name = text.strip()
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    if found := _LINK.fullmatch(name):
        linked: str = found[1] or found[2]
        if linked.partition("/")[0] not in _OTHER_THINGS:
            return linked
    return name.removeprefix("file://")


def near_names(name: str) -> tuple[str, ...]:
    """Names of models that are here and are nearly this one, the nearest first."""
    known = {preset.lower(): preset for preset in preset_models()}
    asked = name.lower().rpartition("/")[2]
    return tuple(known[found] for found in difflib.get_close_matches(asked, known, 2, 0.6))


@cache
def _configuration_files() -> dict[str, Path]:
    files = {path.stem: path for path in (ASSETS / "configs").glob("*.json")}
    files[NANO] = ASSETS / "nano" / "config.json"
    return files


def preset_models() -> tuple[str, ...]:
    """Names of the models with a bundled configuration, by size: nano, then the Qwen2.5 family."""

    def billions(name: str) -> float:
        return 0.0 if name == NANO else float(name.split("-")[1].removesuffix("b"))

    return tuple(sorted(_configuration_files(), key=billions))


def preset_file(name: str) -> Path | None:
    """The configuration file of a preset, None where there is no such preset."""
    return _configuration_files().get(name.lower())


def preset_for_hub_id(hub_id: str) -> str | None:
    """The preset whose configuration was taken from this hub id."""
    for name, path in _configuration_files().items():
        if name != NANO and parse_json_file(path).get("_hub_id") == hub_id:
            return name
    return None


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a hub id, `owner/name`."""
    return _HUB_ID.fullmatch(name) is not None


def hub_id(name: str) -> str:
    """The hub id of a preset; any other name as it is."""
    file = preset_file(name)
    found = parse_json_file(file).get("_hub_id") if file is not None else None
    return found if isinstance(found, str) else name
