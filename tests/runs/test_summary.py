"""A run summed up, and the list of runs."""

from __future__ import annotations

from qwen_ui.runs import (
    RunWriter,
    create_run,
    list_runs,
    run_folder,
    run_summary,
)

SPEC = {"model": "nano", "steps": 4}
PLAN = {"name": "attention", "rules": []}


def test_the_summary_holds_what_the_command_promises() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=4, prefix_blocks=24)
        run.event("eval", step=0, loss=6.5)
        for step in range(1, 5):
            run.event(
                "step",
                step=step,
                loss=6.0 / step,
                seconds=0.5,
                tokens=step * 100,
                memory_bytes=step,
            )
        run.event("eval", step=4, loss=5.5)
        run.event("end", status="completed", reason="")
        run.status("completed", step=4)
    found = run_summary(folder)
    assert found["losses"] == [6.0, 3.0, 2.0, 1.5]
    assert (found["eval_loss_before"], found["eval_loss_after"]) == (6.5, 5.5)
    assert found["seconds_per_step"] == 0.5
    assert found["tokens_per_second"] == 200
    assert found["prefix_blocks"] == 24
    assert found["peak_bytes"] == 4
    assert found["status"] == "completed"
    assert found["delta"] is None


def test_steps_done_again_after_a_resume_count_once() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=4)
        for step in (1, 2, 3):
            run.event("step", step=step, loss=float(step))
    with RunWriter(folder) as run:
        run.event("start", step=2, steps=4)
        assert run_summary(folder)["losses"] == [1.0, 2.0]
        run.event("step", step=3, loss=30.0)
    assert run_summary(folder)["losses"] == [1.0, 2.0, 30.0]


def test_the_list_has_a_row_a_run_the_newest_first() -> None:
    names = [create_run(SPEC, {"name": f"p{i}"}).name for i in range(3)]
    (run_folder(names[0]).parent / "junk").mkdir()
    rows = list_runs()
    assert [row["run"] for row in rows] == sorted(names, reverse=True)
    assert set(rows[0]) == {"run", "status", "step", "steps", "loss", "reason"}
