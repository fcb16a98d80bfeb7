"""Every way to fail has its sentence, from an exception and from a dead worker's log."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from qwen_ui.errors import DataError
from qwen_ui.train import failure
from qwen_ui.train.advice import OVERHEAD_BYTES, advice_for, memory_advice
from qwen_ui.train.failure import SENTENCES, last_words, reason_for
from qwen_ui.train.runs import create_run
from qwen_ui.train.spec import RunSpec, make_spec

SPEC = {"model": "nano", "steps": 4}
KNOWN: list[tuple[BaseException, str]] = [
    (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "device memory"),
    (RuntimeError("CUDA error: out of memory"), "device memory"),
    (RuntimeError("MPS backend out of memory"), "device memory"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory"),
    (MemoryError(), "memory"),
    (OSError(errno.ENOSPC, "No space left on device"), "disk"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
    (PermissionError(errno.EACCES, "Permission denied"), "not allowed"),
    (OSError(errno.EROFS, "Read-only file system"), "not allowed"),
    (FloatingPointError("the loss is nan at step 3"), "not a number"),
    (OSError(errno.EADDRINUSE, "Address already in use"), "port"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory"), "missing"),
]


@pytest.mark.parametrize(("error", "kind"), KNOWN, ids=lambda value: str(value)[:24])
def test_an_exception_and_its_traceback_have_the_same_sentence(
    error: BaseException, kind: str
) -> None:
    assert reason_for(error) == SENTENCES[kind]
    folder = create_run(SPEC, {"name": "a"})
    last = f"{type(error).__name__}: {error}"
    (folder / "worker.log").write_text(f"Traceback (most recent call last):\n  File x\n{last}\n")
    assert last_words(folder) == SENTENCES[kind]


def test_a_real_allocation_that_fails_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.uint8)
    assert reason_for(caught.value) == SENTENCES["memory"]


def test_a_mistake_keeps_its_own_words() -> None:
    assert reason_for(DataError("The file 'x' is empty.")) == "The file 'x' is empty."


def test_what_is_not_known_is_told_as_it_is() -> None:
    assert reason_for(KeyError("odd")).startswith("KeyError: 'odd'")


def test_a_kill_by_the_system_for_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create_run(SPEC, {"name": "a"})
    (folder / "process.json").write_text('{"pid": 1, "begun": "x", "memory_kills": 3}')
    monkeypatch.setattr(failure, "memory_kills", lambda: 3)
    assert last_words(folder) == SENTENCES["killed"]
    monkeypatch.setattr(failure, "memory_kills", lambda: 4)
    assert last_words(folder) == SENTENCES["killed for memory"]


def spec(batch: int = 4) -> RunSpec:
    plan = {"schema": 1, "name": "attention", "rules": [{"preset": "attention"}]}
    return make_spec(model="nano", plan=plan, data="x.txt", batch_size=batch)


def test_the_largest_batch_that_fits_is_named() -> None:
    said = memory_advice(spec(), 6.1e9, lambda batch, length: 2.3e9 * batch)
    assert said == "Batch 4 of 128 tokens needs 9.8 GB, 6.1 GB are free; batch 2 fits (5.2 GB)."
    said = memory_advice(spec(), 2.0e9, lambda batch, length: 2e7 * batch * length)
    assert "batch 1 of 64 tokens fits" in said
    assert "no batch fits" in memory_advice(spec(), 1e9, lambda batch, length: 5e9)


def test_the_price_of_the_run_itself_is_asked(tmp_path: Path) -> None:
    from qwen_ui.freeze import preset  # noqa: PLC0415

    given = make_spec(model="nano", plan=preset("full").to_dict(), data="x.txt", batch_size=512)
    said = advice_for(given, OVERHEAD_BYTES + 2e9)
    assert said.startswith("Batch 512 of 128 tokens needs ")
    assert "fits" in said
