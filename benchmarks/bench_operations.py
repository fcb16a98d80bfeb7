"""Operations that a step dispatches, those that wait for the device, and copies.

On a GPU each dispatched operation is at least a launch by this process, and each value that is read
makes it wait for all that was launched before. Both can be counted on any machine.

    python -m benchmarks.bench_operations [--batch 4] [--length 512]
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.training import nano, our_loop, random_examples
from qwen_ui.freeze import preset

# Operations whose result is read by the process: on a GPU it waits there.
WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero", "aten::equal")
WARM_UP = 3


class Operations(TorchDispatchMode):
    """Counts what is dispatched inside."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operation: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        self.counts[operation._schema.name] += 1
        return operation(*given, **(named or {}))


def main() -> None:
    """Print one line a plan."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=512)
    options = parser.parse_args()
    for plan in ("attention", "bitfit", "full"):
        examples = random_examples(4096, options.batch * 2, options.length)
        loop, _ = our_loop(nano(), preset(plan), examples, options.batch)
        for step in range(1, WARM_UP + 1):
            loop.step(step)
        with Operations() as found:
            loop.step(WARM_UP + 1)
        waits = sum(found.counts[name] for name in WAITS)
        print(
            f"{plan} {options.batch} x {options.length}: {found.counts.total():,} operations, "
            f"{waits} that wait, {found.counts['aten::copy_']} copies"
        )


if __name__ == "__main__":
    main()
