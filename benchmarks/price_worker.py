"""A worker that also says how much memory its steps took; `bench_price` starts a process a run.

The worker's own code trains. After the first step, which loads code that all others need, what is
free is given back to the system, the kernel's high-water mark of resident memory is set back
(`/proc/self/clear_refs`, Linux alone), and after the last step it is read: no sampling, so nothing
between two samples is missed. The baseline is what the process holds between the first and the
second step, less the tensors that are priced: weights, optimizer state, copies.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

from torch.autograd.graph import saved_tensors_hooks

from qwen_ui.engine import Prepared, Trainer, set_up
from qwen_ui.freeze.cost.live_bytes import SavedBytes, flop_counter
from qwen_ui.runs import RunWriter, read_spec


def main(folder: Path) -> None:
    found: dict[str, Any] = {}
    with RunWriter(folder) as writer:
        prepared = set_up(read_spec(folder), folder)
        trainer = Trainer(prepared, writer)
        take, last = prepared.loop.take, prepared.spec.optimization.steps

        def taken(number: int) -> Any:
            if number == 2:
                found["baseline"] = settled_bytes() - priced_bytes(prepared, trainer)
            pending = take(number)
            if number == last:
                found["peak"] = status_bytes("VmHWM") - found["baseline"]
            return pending

        prepared.loop.take = taken
        trainer.run()
    found |= counted_step(prepared)
    (folder / "measured.json").write_text(json.dumps(found), encoding="utf-8")


def settled_bytes() -> int:
    """Resident memory after what is free was given back; the high-water mark starts here."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return status_bytes("VmRSS")


def status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{field}:")))


def priced_bytes(prepared: Prepared, trainer: Trainer) -> int:
    """What stays between two steps: weights, the optimizer's state, copies of the beginning."""
    weights = {p.untyped_storage()._cdata: p for p in prepared.model.parameters()}.values()
    held = [*weights, *trainer._movement._held.values()]
    tensors = sum(tensor.numel() * tensor.element_size() for tensor in held)
    return tensors + prepared.loop.optimizer.state_bytes()


def counted_step(prepared: Prepared) -> dict[str, int]:
    """Saved activations and FLOPs of one more step of the worker's loop."""
    loop, model = prepared.loop, prepared.model
    batch = loop._batches(1)[0]
    prefix = loop.prefix_sources[0].fetch(batch)
    saved = SavedBytes(model)
    with flop_counter() as counter:
        with saved_tensors_hooks(saved.pack, lambda tensor: tensor):
            loss = loop.trainee(batch, prefix)
        activations = saved.total
        saved.storages.clear()
        loss.backward()
    return {"activations": activations, "flops": counter.get_total_flops()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
