"""Streamed training in a family: `python -m tests.helpers.streamed_families [TYPE]`.

Each tiny random model is saved as transformers saves it and trained twice for some steps: with its
frozen blocks held, and with them read one by one from the files.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils import logging

from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.loop import Loop
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.stream.streamed_run import cache_filler, cut_without_prefix
from qwen_ui.errors import UserError
from qwen_ui.freeze import FreezePlan, Rule, apply, resolve
from qwen_ui.model import open_model
from qwen_ui.model.families import model_types
from qwen_ui.model.weights import load_model
from qwen_ui.runs import tell_nobody
from tests.helpers.engine import CLIP, DECAY, cache_opener
from tests.helpers.family_proofs import BATCH, RATE, build, examples

STEPS = 3
PLAN = FreezePlan(rules=(Rule(layers="last:2"),))
CPU = torch.device("cpu")


@dataclass(frozen=True)
class FamilyStream:
    """What was found in one family.

    Attributes:
        held: losses with the frozen blocks held.
        streamed: with them read one by one; () where that is refused.
        kept: number of blocks whose outputs the held run caches.
        refusal: the sentence that says why it is refused, "" where it is not.
    """

    held: tuple[float, ...]
    streamed: tuple[float, ...]
    kept: int
    refusal: str

    @property
    def verdict(self) -> str:
        """`equal`, `off` or `refused`."""
        if self.refusal:
            return "refused"
        return "equal" if self.held == self.streamed else "off"


class NotTrained(Exception):
    """A family that the loop does not train by itself: no decoder, or it needs more than text."""


def stream_family(
    model_type: str, folder: Path, dtype: torch.dtype = torch.float32
) -> FamilyStream:
    """Train a tiny model of this family both ways.

    Raises:
        NotTrained: it cannot be saved, or does not train with its blocks held either.
    """
    try:
        build(model_type, dtype).save_pretrained(folder)
        held, kept = _losses(folder, dtype, streamed=False)
    except Exception as error:
        raise NotTrained(f"{type(error).__name__}: {error}") from error
    try:
        found, _ = _losses(folder, dtype, streamed=True)
    except UserError as error:
        return FamilyStream(held, (), kept, str(error))
    return FamilyStream(held, found, kept, "")


def _losses(folder: Path, dtype: torch.dtype, *, streamed: bool) -> tuple[tuple[float, ...], int]:
    selection = resolve(PLAN, open_model(str(folder)))
    if streamed:
        model, cut = cut_without_prefix(folder, selection, dtype, CPU)
    else:
        model, cut = load_model(folder, selection.anatomy, dtype), None
    apply(selection, model)
    trainee = Trainee(model, selection, cache_prefix=True, cut=cut)
    data = examples(packed=False)
    loop = Loop(
        trainee,
        MasterAdamW(model, weight_decay=DECAY, gradient_clip=CLIP),
        data,
        data,
        rate=lambda step: RATE,
        batch_size=BATCH,
        open_caches=cache_opener(data, trainee.prefix_blocks, weights=f"{folder} {streamed}"),
        fill_caches=cache_filler(2**40, tell_nobody, lambda _: None) if streamed else None,
    )
    loop.verify()
    return tuple(loop.step(step).loss for step in range(1, STEPS + 1)), trainee.prefix_blocks


def main(types: list[str], dtype: torch.dtype) -> None:
    """Print the table."""
    print("| type | kept | streamed | largest difference | said |\n|---|---:|---|---:|---|")
    counts: dict[str, int] = {}
    for model_type in types or model_types():
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = stream_family(model_type, Path(folder), dtype)
            except Exception as error:  # sizes that do not suit it; or it trains in no way
                print(f"| {model_type} | | none | | {type(error).__name__}: {error} |"[:200])
                continue
        pairs = zip(found.held, found.streamed, strict=False)
        off = max((abs(a - b) / abs(a) for a, b in pairs), default=0.0)
        counts[found.verdict] = counts.get(found.verdict, 0) + 1
        said = found.refusal[:300]
        print(f"| {model_type} | {found.kept} | {found.verdict} | {off:.0e} | {said} |", flush=True)
    print(counts)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as home:
        os.environ["QWEN_UI_HOME"] = home
        torch.set_num_threads(1)
        names = [word for word in sys.argv[1:] if not word.startswith("--")]
        main(names, torch.bfloat16 if "--bfloat16" in sys.argv else torch.float32)
