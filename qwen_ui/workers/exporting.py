"""Take a run's result away, in a process of its own: merged, as an adapter, to the hub.

The process goes on when the page or the dashboard is closed; whoever looks at the run next finds
how it stands in the run's folder.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from qwen_ui.errors import RunError, SettingsError
from qwen_ui.files import locked, read_json, write_json
from qwen_ui.paths import home
from qwen_ui.runs import (
    DELTA_NAME,
    living_process,
    log_tail,
    queue_lock,
    recorded_settings,
    run_folder,
)
from qwen_ui.workers.export_state import EXPORTS, REQUEST, STATE, ExportState, recorded_state
from qwen_ui.workers.spawn import start_process

Kind = Literal["merge", "adapter", "push"]
KINDS: tuple[Kind, ...] = ("merge", "adapter", "push")
MODULE = "qwen_ui.workers.export_worker"


def default_output(run: str, kind: Kind) -> Path:
    """Where something is written that no folder was chosen for."""
    return home() / ("adapters" if kind == "adapter" else "models") / run


def start_export(
    run: str,
    kind: Kind,
    *,
    output: str = "",
    strength: str = "1",
    repo: str = "",
    merged: bool = False,
    public: bool = False,
) -> None:
    """Begin to take a run's result away.

    Args:
        output: the folder to make, by an absolute path; "" for one under the home.
        strength: of a merge: how far to go from the base to what training left and beyond.
        repo: of a push: `owner/name`.
        merged: of a push: the whole model.
        public: of a push: whether anybody may read a repository that is made for it.

    Raises:
        RunError: no such run, it left no delta, or this is going on already.
        SettingsError: the folder exists, the strength is none, or the repository's name is none.
    """
    folder = run_folder(run)
    if not (folder / DELTA_NAME).is_file():
        raise RunError("This run left no trained tensors, so there is nothing to take away.")
    request: dict[str, Any] = {"run": run, "kind": kind}
    if kind == "push":
        from qwen_ui.workers.hub_push import check_repo  # noqa: PLC0415  loads torch

        check_repo(repo)
        request |= {"repo": repo, "merged": merged, "public": public}
    else:
        request |= {
            "model": str(recorded_settings(folder).get("model") or ""),
            "output": str(_new_folder(output, run, kind)),
            "strength": _checked_strength(strength),
        }
    place = folder / EXPORTS / kind
    place.mkdir(parents=True, exist_ok=True)
    with locked(queue_lock()):
        if living_process(place):
            raise RunError("This is being done already. Wait for its end.")
        write_json(place / REQUEST, request)
        write_json(place / STATE, asdict(ExportState(said="The process is being started.")))
        start_process(MODULE, place)


def _checked_strength(text: str) -> str:
    from qwen_ui.engine import parse_strengths  # noqa: PLC0415  as the worker will

    return str(parse_strengths(text))


def _new_folder(output: str, run: str, kind: Kind) -> Path:
    try:
        path = Path(output).expanduser() if output.strip() else default_output(run, kind)
        taken = path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(
            f"'{output[:200]}' is not a folder's path. Give another one."
        ) from error
    if not path.is_absolute():
        raise SettingsError(f"'{output}' is not an absolute path. Begin it with / or ~.")
    if taken:
        raise SettingsError(f"'{path}' exists already. Give a new folder, or remove that one.")
    return path


def export_states(run: str) -> dict[str, ExportState]:
    """How everything stands that was asked of this run, by its kind.

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run) / EXPORTS
    return {kind: _state(folder / kind) for kind in KINDS if (folder / kind / REQUEST).is_file()}


def _state(place: Path) -> ExportState:
    # The process first: when it is seen to be gone, its last word is there.
    alive = living_process(place)
    found = recorded_state(place)
    if found.state != "running":
        return found
    if not alive:
        said = log_tail(place).strip().splitlines()
        last = f" Its last line: {said[-1][:200]}" if said else ""
        return ExportState("failed", f"The process ended before it was done.{last}")
    return replace(found, share=_share(read_json(place / REQUEST), found.whole))


def _share(request: dict[str, Any], whole: int) -> float | None:
    """How much of a merged model is written: its bytes on the disk, of those of the base."""
    if not whole or request.get("kind") != "merge":
        return None
    output = Path(str(request["output"]))
    part = output.with_name(f".{output.name}.part")
    written = sum(file.stat().st_size for file in part.glob("*.safetensors"))
    return min(0.99, written / whole)
