"""Which files of a run are damaged: missing, torn, or of wrong types. Lists say so and go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qwen_ui.files import read_object
from qwen_ui.runs.annotation import ANNOTATION_FIELDS
from qwen_ui.runs.annotation import FILE_NAME as ANNOTATION
from qwen_ui.runs.environment import FILE_NAME as ENVIRONMENT
from qwen_ui.runs.fields import wrong_fields
from qwen_ui.runs.held_out import HELD_OUT_NAME, held_out_of_record
from qwen_ui.runs.kept_text import KEPT_TEXT_NAME, kept_text_of_record
from qwen_ui.runs.placement import CLAIM, CLAIM_FIELDS, PLACEMENT, PLACEMENT_FIELDS
from qwen_ui.runs.plan_record import PLAN_FIELDS, PLAN_NAME
from qwen_ui.runs.spec import SPEC_NAME, wrong_settings
from qwen_ui.runs.status import FILE_NAME as STATUS
from qwen_ui.runs.status import LAUNCH_FIELDS, LAUNCHED, STATUS_FIELDS

Sound = Callable[[dict[str, Any]], bool]
NEEDED: dict[str, Sound] = {
    SPEC_NAME: lambda record: bool(record) and not wrong_settings(record),
    STATUS: lambda record: bool(record) and not wrong_fields(record, STATUS_FIELDS),
}
OTHERS: dict[str, Sound] = {
    PLAN_NAME: lambda record: not wrong_fields(record, PLAN_FIELDS),
    ANNOTATION: lambda record: not wrong_fields(record, ANNOTATION_FIELDS),
    LAUNCHED: lambda record: not wrong_fields(record, LAUNCH_FIELDS),
    PLACEMENT: lambda record: not wrong_fields(record, PLACEMENT_FIELDS),
    CLAIM: lambda record: not wrong_fields(record, CLAIM_FIELDS),
    HELD_OUT_NAME: lambda record: held_out_of_record(record) is not None,
    KEPT_TEXT_NAME: lambda record: kept_text_of_record(record) is not None,
    ENVIRONMENT: lambda record: True,
}


def damaged_files(folder: Path) -> list[str]:
    """Names of the run's files that are damaged; its events are counted by the fold."""
    found = []
    for name, sound in {**NEEDED, **OTHERS}.items():
        file = folder / name
        if name not in NEEDED and not file.exists():
            continue
        record = read_object(file)
        if record is None or not sound(record):
            found.append(name)
    return found
