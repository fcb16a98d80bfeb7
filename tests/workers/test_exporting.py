"""A run merged by a process of its own, with its state in the run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.engine import Prepared
from qwen_ui.engine.setup import set_up
from qwen_ui.errors import RunError
from qwen_ui.runs import read_spec
from qwen_ui.runs.status import note_launch
from qwen_ui.workers import ExportState, default_output, export_states, start_export
from qwen_ui.workers.export_state import REQUEST
from tests.helpers.plain_loop import plain_loss
from tests.helpers.runs import events_of, spec_for, train
from tests.helpers.waiting import until


def ended(run: str, kind: str) -> ExportState:
    def over() -> ExportState | None:
        found = export_states(run)[kind]
        return found if found.state != "running" else None

    return until(over, 90, lambda: str(export_states(run)))


def prepared(folder: Path, tmp_path: Path) -> Prepared:
    return set_up(read_spec(folder), tmp_path)


def test_a_merged_run_has_the_loss_of_its_run(tiny: Path, sentences: Path, tmp_path: Path) -> None:
    folder = train(spec_for(tiny, sentences, steps=2, lora_rank=2, learning_rate=0.05))
    run = folder.name
    start_export(run, "merge")
    with pytest.raises(RunError, match="being done already"):
        start_export(run, "merge", output=str(tmp_path / "twice"))
    merged = ended(run, "merge")
    assert (merged.state, merged.output) == ("done", str(default_output(run, "merge")))
    loss = events_of(folder, "end")[0]["eval_loss_after"]
    examples = prepared(folder, tmp_path).data.evaluation
    assert plain_loss(Path(merged.output), examples) == pytest.approx(loss, rel=1e-6)


def test_what_goes_wrong_is_told_where_it_was_asked(tiny: Path, sentences: Path) -> None:
    folder = train(spec_for(tiny, sentences, steps=1))
    run = folder.name
    start_export(run, "adapter")
    failed = ended(run, "adapter")
    assert failed.state == "failed"
    assert "not LoRA adapters" in failed.said
    # Its process was killed, or the machine went down.
    place = folder / "exports" / "merge"
    place.mkdir()
    (place / REQUEST).write_text('{"kind": "merge", "output": "/nowhere/x"}')
    note_launch(place, 2**22 + 1)
    gone = export_states(run)["merge"]
    assert (gone.state, "ended before" in gone.said) == ("failed", True)
