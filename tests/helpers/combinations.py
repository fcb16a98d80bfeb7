"""Every two settings of a run together at least once, each run beside a plain loop.

`python -m tests.helpers.combinations FOLDER` trains, under torchrun, those of two processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState
from transformers import AutoModelForCausalLM, Qwen2MoeConfig

from qwen_ui.engine.setup import Prepared, set_up
from qwen_ui.freeze import FreezePlan, Rule, apply
from qwen_ui.runs import RunSpec, make_spec
from tests.helpers import tiny_models
from tests.helpers.plain_loop import plain_training

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS, RANK = 5, 4
# Of the losses of five steps, relative: float32 differs in the order of its sums alone.
TOLERANCES = {"float32": 2e-5, "bfloat16": 1e-3}
FACTORS: dict[str, tuple[Any, ...]] = {
    "family": ("qwen2", "gpt2", "qwen2_moe"),
    "processes": ("one", "replicated", "sharded"),
    "dtype": ("float32", "bfloat16"),
    "mixed_precision": ("no", "bf16"),
    "gradient_accumulation_steps": (1, 3),
    "packing": (False, True),
    "lora_rank": (0, RANK),
    "prefix": ("keep", "off"),
}


@dataclass(frozen=True)
class Combination:
    """One value of each factor."""

    family: str
    processes: str
    dtype: str
    mixed_precision: str
    gradient_accumulation_steps: int
    packing: bool
    lora_rank: int
    prefix: str

    @property
    def pairs(self) -> frozenset[tuple[Any, ...]]:
        """Every two of its values, with the names of their factors."""
        return frozenset(combinations(vars(self).items(), 2))

    @property
    def tolerance(self) -> float:
        narrow = "bfloat16" in self.dtype or self.mixed_precision == "bf16"
        return TOLERANCES["bfloat16" if narrow else "float32"]

    def __str__(self) -> str:
        return "-".join(str(value) for value in vars(self).values())


def offered() -> list[Combination]:
    """All combinations that a run may have: sharded weights have no adapters."""
    everything = (Combination(*values) for values in product(*FACTORS.values()))
    return [c for c in everything if not (c.processes == "sharded" and c.lora_rank)]


def cover() -> Iterator[Combination]:
    """Few combinations with all pairs: always the one that has most of those still missing."""
    everything = offered()
    missing = frozenset().union(*(c.pairs for c in everything))
    while missing:
        best = max(everything, key=lambda c: len(c.pairs & missing))
        missing -= best.pairs
        yield best


def save(folder: Path, family: str) -> Path:
    """A tiny model of this family and its tokenizer."""
    if family == "qwen2_moe":
        shape = tiny_models._SHAPE | {"num_experts": 4, "num_experts_per_tok": 2}
        shape |= {"moe_intermediate_size": 8, "shared_expert_intermediate_size": 16}
        tiny_models.FAMILIES["qwen2_moe"] = lambda **more: Qwen2MoeConfig(**shape, **more)
    return folder if folder.is_dir() else tiny_models.save_model(folder, family)


def prepared(combination: Combination, folder: Path, data: Path) -> Prepared:
    """The run of this combination, set up; accelerate's state is made anew."""
    AcceleratorState._reset_state(reset_partial_state=False)
    return set_up(spec_of(combination, folder, data), folder)


def spec_of(combination: Combination, folder: Path, data: Path) -> RunSpec:
    """Its settings."""
    settings = dict(vars(combination))
    model, processes = settings.pop("family"), settings.pop("processes")
    # All kinds of tensors in the last two blocks; with adapters, those that they reach.
    plan = FreezePlan(rules=(Rule(layers="last:2"),))
    return make_spec(
        model=str(folder / model),
        plan=plan.to_dict(),
        data=str(data),
        eval_data=str(data),
        steps=STEPS,
        batch_size=4 if processes == "one" else 2,
        sequence_length=48,
        learning_rate=1e-2,
        weight_decay=0.1,
        processes=1 if processes == "one" else 2,
        sharded=processes == "sharded",
        device="cpu",
        sample_tokens=0,
        **settings,
    )


def losses(combination: Combination, folder: Path, data: Path) -> list[float]:
    """Losses of five steps of the engine."""
    loop = prepared(combination, folder, data).loop
    return [loop.step(step).loss for step in range(1, STEPS + 1)]


def plain_losses(combination: Combination, folder: Path, data: Path) -> list[float]:
    """Losses of five steps of a plain loop in one process."""
    alone = Combination(**vars(combination) | {"processes": "one", "mixed_precision": "no"})
    run = prepared(alone, folder, data)
    spec, model = run.spec, run.model
    if not combination.lora_rank:
        # Not the run's: what `set_up` did to it is part of what is tested.
        dtype = getattr(torch, combination.dtype)
        model = AutoModelForCausalLM.from_pretrained(spec.model.source, dtype=dtype)
        apply(run.base.selection, model)
    mixed = combination.mixed_precision == "bf16"
    return plain_training(
        model,
        run.data.training,
        steps=STEPS,
        batch_size=spec.optimization.batch_size,
        rate=run.loop._rate,
        decay=spec.optimization.weight_decay,
        clip=spec.optimization.gradient_clip,
        accumulation=combination.gradient_accumulation_steps,
        autocast=partial(torch.autocast, "cpu", torch.bfloat16, enabled=mixed),
    )


def run_pairs(folder: Path, data: Path) -> dict[str, list[float]]:
    """The losses of all combinations of two processes, by their names."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    # A deadlock of two processes would hang for ever.
    done = subprocess.run(
        [*run, "-m", __name__, str(folder), str(data)],
        env={**os.environ, **paths},
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[float]] = json.loads((folder / "losses.json").read_text())
    return found


def main(folder: Path, data: Path) -> None:
    found = {str(c): losses(c, folder, data) for c in cover() if c.processes != "one"}
    if torch.distributed.get_rank() == 0:
        (folder / "losses.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
