"""The process that takes a run's result away: `python -m qwen_ui.workers.export_worker FOLDER`.

The folder's `request.json` says what is wanted, and `state.json` how it stands.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qwen_ui.errors import UserError
from qwen_ui.files import read_json, write_json
from qwen_ui.runs import DELTA_NAME, OF_MEMORY, reason_for, run_folder
from qwen_ui.workers.export_state import REQUEST, STATE, ExportState

OUT_OF_MEMORY = "The memory ran out. Close other programs, and try again."


def main(folder: Path) -> int:
    """Do what the folder asks for; 0: done, 2: a person's mistake, 1: a fault of ours."""
    asked = read_json(folder / REQUEST)

    def tell(said: str, state: str = "running", output: str = "", whole: int = 0) -> None:
        write_json(folder / STATE, asdict(ExportState(state, said, output, whole)))

    try:
        done = _WAYS[asked["kind"]](asked, tell)
    except UserError as error:
        tell(str(error), "failed")
        return 2
    except BaseException as error:
        traceback.print_exc()
        said = reason_for(error)
        tell(OUT_OF_MEMORY if said.startswith(OF_MEMORY) else said, "failed")
        return 1
    tell(done[1], "done", done[0])
    return 0


def _merge(asked: dict[str, Any], tell: Any) -> tuple[str, str]:
    from qwen_ui.engine import apply_delta, parse_strengths  # noqa: PLC0415  loads torch
    from qwen_ui.model import open_model  # noqa: PLC0415

    folder = open_model(asked["model"]).weights_folder
    files = folder.glob("*.safetensors") if folder is not None else ()
    tell("Writing the model.", whole=sum(file.stat().st_size for file in files))
    file, strengths = run_folder(asked["run"]) / DELTA_NAME, parse_strengths(asked["strength"])
    done = apply_delta(file, asked["model"], Path(asked["output"]), strengths)
    return str(done.folder), done.note


def _adapter(asked: dict[str, Any], tell: Any) -> tuple[str, str]:
    from qwen_ui.engine import write_adapter  # noqa: PLC0415  loads torch

    tell("Writing the adapter.")
    return str(write_adapter(run_folder(asked["run"]) / DELTA_NAME, Path(asked["output"]))), ""


def _push(asked: dict[str, Any], tell: Any) -> tuple[str, str]:
    from qwen_ui.workers.hub_push import push  # noqa: PLC0415  loads torch

    run, repo = asked["run"], asked["repo"]
    return push(run, repo, merged=asked["merged"], public=asked["public"], tell=tell), ""


_WAYS = {"merge": _merge, "adapter": _adapter, "push": _push}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
