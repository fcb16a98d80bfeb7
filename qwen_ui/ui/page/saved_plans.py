"""Plans that a person keeps under a name: a JSON file each in `home()/plans`,
on a public dashboard in a folder of the visitor's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qwen_ui.errors import PlanError
from qwen_ui.files import replace_text
from qwen_ui.freeze import MAX_PLAN_BYTES, FreezePlan
from qwen_ui.visits import own_folder

MAX_SAVED = 200
MAX_NAME = 60


def save_plan_as_named(plan: FreezePlan) -> None:
    """Keep a plan under its name; a plan of the same name is replaced.

    Raises:
        PlanError: no name, too long a name, or too many plans.
    """
    name = plan.name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise PlanError(f"Give the plan a name of 1 to {MAX_NAME} characters.")
    file = _file(name)
    if not file.exists() and len(_files()) >= MAX_SAVED:
        raise PlanError(f"{MAX_SAVED} plans are saved already. Delete one first.")
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, plan.model_copy(update={"name": name}).to_json())


def saved_plan_names() -> list[str]:
    """Names of the kept plans, sorted; a file that is no plan is left out."""
    found = []
    for file in _files():
        try:
            found.append(_read(file).name)
        except PlanError:
            continue
    return sorted(found, key=str.casefold)


def saved_plan(name: str) -> FreezePlan:
    """The plan kept under this name.

    Raises:
        PlanError: there is none, or its file is damaged.
    """
    file = _file(name.strip())
    if not file.is_file():
        raise PlanError(f"No plan is saved as '{name[:MAX_NAME]}'.")
    return _read(file)


def forget_saved_plan(name: str) -> None:
    """Delete the plan kept under this name, where there is one."""
    _file(name.strip()).unlink(missing_ok=True)


def _read(file: Path) -> FreezePlan:
    with file.open("rb") as stream:
        text = stream.read(MAX_PLAN_BYTES + 1).decode("utf-8", errors="replace")
    return FreezePlan.from_json(text)


def _files() -> list[Path]:
    return sorted(file for file in own_folder("plans").glob("*.json") if file.is_file())


def _file(name: str) -> Path:
    """A name may hold any character; the file's name is its digest."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:20]
    return own_folder("plans") / f"{digest}.json"
