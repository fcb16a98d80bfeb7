"""The process that measures a dial: `python -m qwen_ui.compare.dial_worker RUN_FOLDER/dial`."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from qwen_ui.compare.dial_process import FAILED, REQUEST
from qwen_ui.compare.dial_record import DialRequest
from qwen_ui.errors import UserError
from qwen_ui.files import read_json, write_json
from qwen_ui.runs import reason_for


def main(place: Path) -> int:
    """Measure what the folder asks for; 0: done, 2: a person's mistake, 1: a fault of ours."""
    from qwen_ui.compare.dialling import turn  # noqa: PLC0415  loads torch

    asked = read_json(place / REQUEST)
    strengths = asked["strengths"]
    request = DialRequest(
        strengths=None if strengths is None else tuple(strengths),
        keep=asked["keep"],
        most_forgetting=asked["most_forgetting"],
        by_block=asked["by_block"],
    )
    try:
        turn(place.parent, request)
    except UserError as error:
        write_json(place / FAILED, {"said": str(error)})
        return 2
    except BaseException as error:
        traceback.print_exc()
        write_json(place / FAILED, {"said": reason_for(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
