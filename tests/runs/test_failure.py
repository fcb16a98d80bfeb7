"""Every way to fail has its sentence, from an exception and from a dead worker's log."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from qwen_ui.errors import DataError
from qwen_ui.freeze import preset
from qwen_ui.freeze.cost import OVERHEAD_BYTES
from qwen_ui.runs import RunSpec, create_run, failure, make_spec, reason_for
from qwen_ui.runs.failure import SENTENCES, last_words
from qwen_ui.runs.status import recorded_status
from qwen_ui.workers import worker
from qwen_ui.workers.memory_advice import (
    AvailableMemory,
    advice_for,
    memory_advice,
    savings_of,
    with_advice,
)

SPEC = {"model": "nano", "steps": 4}
KNOWN: list[tuple[BaseException, str]] = [
    (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "device memory"),
    (RuntimeError("CUDA error: out of memory"), "device memory"),
    (RuntimeError("MPS backend out of memory"), "device memory"),
    (
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        "device memory",
    ),
    (
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        "device memory",
    ),
    (RuntimeError("CUDA driver error: CUDA_ERROR_OUT_OF_MEMORY"), "device memory"),
    (
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
        "busy device",
    ),
    (
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        "unsupported device",
    ),
    (
        RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
        "old driver",
    ),
    (
        RuntimeError("CUDA driver version is insufficient for CUDA runtime version"),
        "old driver",
    ),
    (RuntimeError("Invalid buffer size: 20.00 GB"), "buffer size"),
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


def two_a_sequence(run: RunSpec) -> float:
    return 2.3e9 * run.optimization.batch_size


def tokens_of(run: RunSpec) -> int:
    return run.optimization.batch_size * run.data.sequence_length


def test_the_largest_batch_that_fits_is_named() -> None:
    said = memory_advice(spec(), AvailableMemory("cpu", 6.1e9), two_a_sequence)
    assert said.text == (
        "Batch 4 of 128 tokens needs 9.80 GB, 6.10 GB were free; batch 2 fits (5.20 GB)."
    )
    assert said.changes == {"batch_size": 2}
    said = memory_advice(spec(), AvailableMemory("cpu", 2.0e9), lambda run: 2e7 * tokens_of(run))
    assert "batch 1 of 64 tokens fits" in said.text
    assert said.changes == {"batch_size": 1, "sequence_length": 64}
    none = memory_advice(spec(), AvailableMemory("cpu", 1e9), lambda run: 5e9)
    assert "no batch fits" in none.text
    assert none.changes == {}


def test_what_other_programs_hold_is_said() -> None:
    available = AvailableMemory("cuda", 6.1e9, others=40e9)
    said = memory_advice(spec(), available, two_a_sequence).text
    assert "6.10 GB were free (other programs held 40.0 GB); batch 2 fits" in said
    fits = memory_advice(spec(), AvailableMemory("cuda", 20e9, 60e9), two_a_sequence)
    assert "it should fit" in fits.text


def test_the_figures_take_the_place_of_the_general_advice() -> None:
    advice = memory_advice(spec(), AvailableMemory("cpu", 6.1e9), two_a_sequence)
    said = with_advice(SENTENCES["device memory"], advice)
    assert said == f"The device ran out of memory. {advice.text}"


@pytest.mark.parametrize("error", ["memory", "device memory"])
def test_a_worker_out_of_memory_says_what_would_have_fitted(
    error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make_spec(model="nano", plan=preset("full").to_dict(), data="x", batch_size=512)
    folder = create_run(given.to_dict(), given.plan)
    raised = next(one for one, kind in KNOWN if kind == error)
    monkeypatch.setattr("qwen_ui.engine.setup.set_up", lambda *_: (_ for _ in ()).throw(raised))
    monkeypatch.setattr(
        "qwen_ui.workers.worker.available_memory", lambda: AvailableMemory("cpu", 2.6e9)
    )
    assert worker.main(folder) == 1
    status = recorded_status(folder)
    assert status.status == "failed"
    assert status.reason.startswith(SENTENCES[error].split(".")[0])
    assert "Batch 512 of 128 tokens needs" in status.reason
    assert "fits" in status.reason


def test_the_price_of_the_run_itself_is_asked(tmp_path: Path) -> None:
    given = make_spec(model="nano", plan=preset("full").to_dict(), data="x.txt", batch_size=512)
    said = advice_for(given, AvailableMemory("cpu", OVERHEAD_BYTES + 2e9))
    assert said.text.startswith("Batch 512 of 128 tokens needs ")
    assert "fits" in said.text
    # On a CPU a run computes in float32, whatever the model's files hold.
    half = advice_for(given, AvailableMemory("cuda", OVERHEAD_BYTES + 2e9))
    assert half.changes["batch_size"] > said.changes["batch_size"]


def test_settings_that_save_memory_are_offered_in_their_order() -> None:
    given = spec(batch=2)

    def peak(run: RunSpec) -> float:
        saved = 3e9 * run.resources.gradient_checkpointing + 4e9 * run.resources.optimizer_offload
        return 10e9 + 1e9 * run.optimization.batch_size - saved

    offered = savings_of(given, "cuda")
    for free, changes, words in (
        (11.7e9, {"batch_size": 1}, "batch 1 fits"),
        (9.7e9, {"gradient_checkpointing": True}, "batch 2 with gradient checkpointing fits"),
        (
            5.7e9,
            {"gradient_checkpointing": True, "optimizer_offload": True},
            "batch 2 with gradient checkpointing and the optimizer's state in main memory fits",
        ),
    ):
        said = memory_advice(given, AvailableMemory("cuda", free), peak, offered)
        assert said.changes == changes
        assert words in said.text
    used = spec().changed(gradient_checkpointing=True, optimizer_offload=True)
    assert savings_of(used, "cuda") == []


@pytest.mark.parametrize("memory", [24e9, 16e9])
def test_training_all_of_the_1_5b_has_an_answer_on_small_gpus(memory: float) -> None:
    """29 GB as it is; a card's driver and context keep about a twentieth."""
    given = make_spec(
        model="qwen2.5-1.5b-instruct",
        plan=preset("full").to_dict(),
        data="x.txt",
        batch_size=4,
        sequence_length=512,
    )
    said = advice_for(given, AvailableMemory("cuda", 0.95 * memory))
    assert said.changes.get("batch_size", 4) == 4, said.text
    assert "sequence_length" not in said.changes
    assert "fits" in said.text
