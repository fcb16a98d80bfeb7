"""A long run's fold is kept in a file: the same fold, whatever happens to log or file."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.runs import RunFold, RunWriter, create_run, fold_from, fold_run, folded
from qwen_ui.runs.events import FILE_NAME as EVENTS

STEPS = 50


@pytest.fixture(autouse=True)
def every_log_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "WORTH_BYTES", 1)


@pytest.fixture
def folder() -> Path:
    folder = create_run({"model": "nano", "steps": STEPS}, {"name": "a"})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=STEPS)
        run.event("eval", step=0, loss=6.0)
        for step in range(1, STEPS + 1):
            # The loss has a gap, the norm is an integer too large for a count.
            loss = None if step == 7 else 6 / step
            run.event("step", step=step, loss=loss, tokens=10 * step, gradient_norm=2**60)
    return folder


def read_anew(folder: Path) -> RunFold:
    """The fold of the log alone."""
    kept = folder / folded.FILE_NAME
    kept.unlink(missing_ok=True)
    fold = fold_run(folder)
    kept.unlink()
    return fold


def without_log(folder: Path) -> RunFold:
    """The fold in the file, and of none of the log but its end, which says whose the file is."""
    log = folder / EVENTS
    text = log.read_bytes()
    log.write_bytes(b"#" * (len(text) - 4096) + text[-4096:] if len(text) > 4096 else text)
    try:
        return fold_run(folder)
    finally:
        log.write_bytes(text)


def test_a_worker_that_ends_leaves_the_file(folder: Path) -> None:
    assert (folder / folded.FILE_NAME).is_file()
    assert without_log(folder) == read_anew(folder)


def test_a_short_run_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "WORTH_BYTES", 10**6)
    short = create_run({"model": "nano", "steps": STEPS}, {"name": "b"})
    with RunWriter(short) as run:
        run.event("start", step=0, steps=STEPS)
    fold_run(short)
    assert not (short / folded.FILE_NAME).exists()


def test_the_file_gives_the_same_fold_without_the_log(folder: Path) -> None:
    told = read_anew(folder)
    first, end = fold_from(folder)
    assert (folder / folded.FILE_NAME).is_file()
    assert (folder / EVENTS).stat().st_size == end > 4096
    again = without_log(folder)
    assert first == again == told
    assert [type(n) for n in again.columns["step"]] == [int] * STEPS
    assert again.columns["loss"][6] is None


def test_what_comes_after_the_file_is_read_on_and_a_resume_goes_back(folder: Path) -> None:
    fold_run(folder)
    with RunWriter(folder) as run:
        run.event("start", step=20, steps=STEPS)
        run.event("step", step=21, loss=1.0, tokens=210)
    fold = fold_run(folder)
    assert fold.columns["step"] == list(range(1, 22))
    assert fold == read_anew(folder)


def test_a_file_of_another_log_or_cut_short_is_passed_over(folder: Path) -> None:
    told = read_anew(folder)
    fold_run(folder)
    kept = folder / folded.FILE_NAME
    whole = kept.read_bytes()
    for broken in (b"", b"x" * 100, whole[:40], whole[:-8], whole[:15] + b"\xff" * 8 + whole[23:]):
        kept.write_bytes(broken)
        assert fold_run(folder) == told
    kept.write_bytes(whole)
    log = folder / EVENTS
    log.write_bytes(log.read_bytes().replace(b'"tokens": 500', b'"tokens": 777'))
    assert fold_run(folder).columns["tokens"][-1] == 777


def test_a_folder_that_cannot_be_written_is_read_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    (folder / folded.FILE_NAME).unlink()
    monkeypatch.setattr(folded, "_keep", full)
    assert fold_run(folder).columns["step"][-1] == STEPS
    assert not (folder / folded.FILE_NAME).exists()
