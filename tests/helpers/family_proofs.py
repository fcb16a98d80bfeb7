"""What the engine's shortcuts come to in a family: `python -m tests.helpers.family_proofs [TYPE]`.

Each tiny random model is trained twice for five steps: by the loop with what it proved, and by a
plain loop. Beside the verdict on packing stands what an exchanged neighbour does to the logits.
"""

from __future__ import annotations

import copy
import os
import sys
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from qwen_ui.data import Example, Examples, collate
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.packing_proof import check_packing, packed_pair
from qwen_ui.errors import SettingsError
from qwen_ui.freeze import FreezePlan, Rule, Selection, apply, resolve
from qwen_ui.model import open_model
from qwen_ui.model.families import model_types
from tests.helpers.engine import CLIP, DECAY, cache_opener
from tests.helpers.plain_loop import plain_training
from tests.helpers.tiny_families import VOCABULARY, tiny_configuration

STEPS, BATCH, LENGTH, RATE = 5, 2, 24, 1e-3
MOST_ELEMENTS = 10**7
PLAN = FreezePlan(rules=(Rule(layers="last:2"),))


@dataclass(frozen=True)
class FamilyProof:
    """What was found in one family.

    Attributes:
        prefix: number of blocks whose outputs are cached.
        notes: what the run says of its shortcuts.
        packing: why packing is refused, "" where it is allowed.
        moved: how far an exchanged neighbour moves the logits (largest difference).
        alone: how far the second sample's logits are from those it has alone.
        loss: largest relative difference of five losses from a plain loop's.
    """

    prefix: int
    notes: tuple[str, ...]
    packing: str
    moved: float
    alone: float
    loss: float


def build(model_type: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A tiny random model of this family."""
    configuration = tiny_configuration(model_type)
    configuration.dtype = dtype
    with torch.device("meta"):
        elements = AutoModelForCausalLM.from_config(configuration).num_parameters()
    assert elements < MOST_ELEMENTS, f"{model_type} has {elements:,} elements at these sizes"
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(configuration, dtype=dtype)
    return model


def examples(*, packed: bool) -> Examples:
    """Random sequences; packed, each holds two samples."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(3, VOCABULARY - 4, (8, LENGTH), generator=generator).tolist()
    starts = (0, LENGTH // 2) if packed else (0,)
    mask = tuple(place not in starts for place in range(LENGTH))
    return Examples(tuple(Example(tuple(row), mask, "", starts) for row in rows))


def prove_family(model_type: str, dtype: torch.dtype = torch.float32) -> FamilyProof:
    """Train a tiny model of this family both ways, and ask whether it can pack."""
    model = build(model_type, dtype)
    selection = resolve(PLAN, open_model(model))
    apply(selection, model)
    plain, packing = copy.deepcopy(model), ""
    data = examples(packed=True)
    cpu = torch.device("cpu")
    trainee = Trainee(copy.deepcopy(model), selection, cache_prefix=False)
    try:
        pair = packed_pair(trainee, data, 0, cpu, rows=BATCH)
        assert pair is not None
        check_packing(trainee.eval(), pair)
    except SettingsError as error:
        packing = str(error)
    moved, alone = what_a_neighbour_does(trainee.model.eval(), data)
    notes, prefix, ours = _by_the_loop(model, selection)
    theirs = _plainly(plain, selection)
    off = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
    return FamilyProof(prefix, notes, packing, moved, alone, off)


def what_a_neighbour_does(model: PreTrainedModel, data: Examples) -> tuple[float, float]:
    """How far an exchanged and a missing first sample move the second's logits, at most."""
    batch, half = collate(data, (0, 1), 0), LENGTH // 2
    inputs = dict(batch.inputs)
    try:
        with torch.no_grad():
            logits = model(**inputs).logits[:, half:]
            exchanged = inputs["input_ids"].clone()
            exchanged[:, :half] = exchanged[:, :half].flip(1)
            other = model(**inputs | {"input_ids": exchanged}).logits[:, half:]
            single = model(input_ids=inputs["input_ids"][:, half:], use_cache=False).logits
    except Exception:  # a model that takes no positions, or cannot run without a mask
        return float("nan"), float("nan")
    return float((other - logits).abs().max()), float((single - logits).abs().max())


def _by_the_loop(
    model: PreTrainedModel, selection: Selection
) -> tuple[tuple[str, ...], int, list[float]]:
    data = examples(packed=False)
    trainee = Trainee(model, selection, cache_prefix=True)
    loop = Loop(
        trainee,
        MasterAdamW(model, weight_decay=DECAY, gradient_clip=CLIP),
        data,
        data,
        rate=lambda step: RATE,
        batch_size=BATCH,
        open_caches=cache_opener(data, trainee.prefix_blocks, weights=model.config.model_type),
    )
    notes = (trainee.why_uncut, *loop.verify())
    losses = [loop.step(step).loss for step in range(1, STEPS + 1)]
    return tuple(note for note in notes if note), trainee.prefix_blocks, losses


def _plainly(model: PreTrainedModel, selection: Selection) -> list[float]:
    apply(selection, model)
    return plain_training(
        model,
        examples(packed=False),
        steps=STEPS,
        batch_size=BATCH,
        rate=lambda step: RATE,
        decay=DECAY,
        clip=CLIP,
    )


def main(types: list[str], dtype: torch.dtype) -> None:
    """Print the table."""
    print("| type | prefix kept | packing | neighbour moves logits | loss off | said |")
    print("|---|---:|---|---:|---:|---|")
    for model_type in types or model_types():
        try:
            build(model_type)
        except Exception:  # sizes that do not suit it; `tiny_families` has no better ones
            continue
        try:
            found = prove_family(model_type, dtype)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            first = (str(error).splitlines() or [""])[0][:120]
            print(
                f"| {model_type} | failed: {type(error).__name__}: {first} "
                f"({Path(where.filename).name}:{where.lineno}) |",
                flush=True,
            )
            continue
        packing = "refused" if found.packing else "safe"
        print(
            f"| {model_type} | {found.prefix} | {packing} | {found.moved:.0e} {found.alone:.0e} | "
            f"{found.loss:.0e} | {' '.join(found.notes)} {found.packing}".replace("\n", " ")[:420]
            + " |",
            flush=True,
        )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    narrow = "--bfloat16" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QWEN_UI_HOME"] = folder
        torch.set_num_threads(1)
        main(
            [word for word in sys.argv[1:] if not word.startswith("--")],
            torch.bfloat16 if narrow else torch.float32,
        )
