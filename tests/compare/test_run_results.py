"""What the runs of a comparison have come to, while they go on and after."""

from __future__ import annotations

from dataclasses import replace

from qwen_ui.compare import make_comparison, parse_plans, results
from qwen_ui.runs import RunWriter, create_run
from tests.helpers.run_events import append, step
from tests.helpers.settings import SETTINGS


def test_a_run_says_what_it_has_come_to_so_far() -> None:
    made = make_comparison("nano", parse_plans("attention,bitfit"), **SETTINGS)
    assert results(made) == []
    entry = made.entries[0]
    folder = create_run(entry.spec.to_dict(), entry.spec.plan)
    begun = replace(made, entries=(replace(entry, run=folder.name), made.entries[1]))
    with RunWriter(folder) as run:
        run.event("start", step=0, trainable_parameters=10, total_parameters=100)
        run.event("sample", step=0, prompt="And", text=" so")
        (found,) = results(begun)
        assert (found["plan"], found["seed"], found["status"]) == (entry.label, 0, "running")
        assert (found["trainable_parameters"], found["learning_rate"]) == (10, None)
        assert found["samples"] == [{"step": 0, "prompt": "And", "text": " so"}]
        assert (found["elapsed"], found["delta_bytes"], found["losses"]) == (0.0, None, [])
        append(folder, step(1), step(2))
        (found,) = results(begun)
        assert (found["elapsed"], found["losses"]) == (1.0, [2.0, 2.0])
        (folder / "delta.safetensors").write_bytes(bytes(12))
        run.status("completed")
    (found,) = results(begun)
    assert (found["status"], found["delta_bytes"]) == ("completed", 12)
