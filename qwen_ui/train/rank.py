"""Which blocks matter, on a person's own data: scores, the top ones, and whether methods agree."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from qwen_ui.errors import DataError, SettingsError, UserError
from qwen_ui.freeze import FreezePlan
from qwen_ui.freeze.layers import format_layers
from qwen_ui.model import open_model
from qwen_ui.paths import home
from qwen_ui.train.data import Batch, collate, load_examples
from qwen_ui.train.fingerprint import folder_fingerprint
from qwen_ui.train.loading import load_model, load_tokenizer, weights_folder
from qwen_ui.train.scores import (
    Scores,
    ablation_scores,
    activation_scores,
    gradient_scores,
    weight_scores,
)

METHODS: dict[str, Callable[..., Scores]] = {
    "gradient": gradient_scores,
    "activation": activation_scores,
    "weight": weight_scores,
    "ablation": ablation_scores,
}
TOP = 4
PACKAGE_PARENT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of one method on one model and data set.

    Attributes:
        sequences: how many were used.
    """

    model: str
    method: str
    scores: Scores
    sequences: int

    def top(self, count: int = TOP) -> tuple[int, ...]:
        """Indexes of the highest blocks, the highest first; of equals, the deeper one."""
        blocks = self.scores.blocks
        order = sorted(range(len(blocks)), key=lambda i: (blocks[i], i), reverse=True)
        return tuple(order[:count])

    def plan(self, base: FreezePlan, count: int = TOP) -> FreezePlan:
        """The rules of `base`, on the highest blocks."""
        layers = format_layers(frozenset(self.top(count)), len(self.scores.blocks))
        rules = tuple(rule.model_copy(update={"layers": layers}) for rule in base.rules)
        return FreezePlan(name=f"{base.name.partition(' ')[0]} on {layers}", rules=rules)

    def record(self, count: int = TOP) -> dict[str, Any]:
        """What the command `rank --json` prints."""
        scores = self.scores
        return {
            "model": self.model,
            "method": self.method,
            "sequences": self.sequences,
            "blocks": [{"index": i, "score": score} for i, score in enumerate(scores.blocks)],
            "top": list(self.top(count)),
            "cells": [
                {"index": block, "kind": kind, "score": score}
                for (block, kind), score in scores.cells.items()
            ],
            "unranked": list(scores.unranked),
        }


def rank(
    model: str,
    data: str,
    method: str,
    *,
    sequences: int = 32,
    batch_size: int = 8,
    sequence_length: int = 128,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Ranking:
    """Score every block of a model whose weights are at hand, in float32.

    Args:
        data: as for training; its first `sequences` sequences are used. `weight` reads none.
        method: `gradient`, `activation`, `weight` or `ablation`; see `qwen_ui.train.scores`.
        tick: told (done, total) after every piece of work.

    Raises:
        UserError: the model, the data or a setting cannot be used.
    """
    if method not in METHODS:
        raise SettingsError(f"There is no method '{method}'. There are {', '.join(METHODS)}.")
    if sequences < 1 or batch_size < 1 or sequence_length < 2:
        raise SettingsError(
            "Ranking needs at least 1 sequence of 2 tokens, and a batch size of at least 1."
        )
    anatomy = open_model(model)
    folder = weights_folder(anatomy)
    tokenizer = load_tokenizer(folder)
    batches = _batches(data, tokenizer, sequences, batch_size, sequence_length)
    module = load_model(folder, anatomy, torch.float32).eval().requires_grad_(False)
    scores = METHODS[method](module, anatomy, batches, tick)
    return Ranking(model, method, scores, sum(len(batch.indexes) for batch in batches))


def rank_apart(model: str, data: str, method: str) -> Ranking:
    """As `rank`, in a process of its own that ends when it is done; what was ranked once is kept.

    Raises:
        UserError: as `rank`.
    """
    file = home() / "rankings" / f"{_key(model, data, method)}.json"
    if not file.is_file():
        command = [sys.executable, "-m", "qwen_ui.train.rank", model, data, method, str(file)]
        path = os.pathsep.join(filter(None, (str(PACKAGE_PARENT), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 2:
            raise DataError(done.stderr.strip().splitlines()[-1])
        done.check_returncode()
    record = json.loads(file.read_text(encoding="utf-8"))
    cells = {(cell["index"], cell["kind"]): cell["score"] for cell in record["cells"]}
    blocks = tuple(block["score"] for block in record["blocks"])
    scores = Scores(blocks, cells, tuple(record["unranked"]))
    return Ranking(record["model"], record["method"], scores, record["sequences"])


def _key(model: str, data: str, method: str) -> str:
    """Names the very weights and data."""
    folder = weights_folder(open_model(model))
    file = Path(data)
    content = file.read_bytes() if file.is_file() else b""
    parts = (folder_fingerprint(folder), data, method, hashlib.sha256(content).hexdigest())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _batches(
    data: str, tokenizer: Any, sequences: int, batch_size: int, sequence_length: int
) -> list[Batch]:
    examples = load_examples(data, tokenizer, sequence_length)
    count = min(sequences, len(examples.items))
    if not count:
        raise DataError(f"'{data}' holds no sequence to rank on. Give a longer text.")
    starts = range(0, count, batch_size)
    groups = [tuple(range(start, min(start + batch_size, count))) for start in starts]
    return [collate(examples, group, tokenizer.pad_token_id or 0) for group in groups]


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: 1 where two methods order the blocks alike, -1 where one reverses the other.

    Equal scores share the mean of their ranks. 0 where a method tells no block from another.
    """
    a, b = (torch.tensor(_ranks(values), dtype=torch.float64) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]


def _main(model: str, data: str, method: str, file: str) -> int:
    """What `rank_apart` starts: rank, and put the record where it is looked for."""
    try:
        record = rank(model, data, method).record()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    target = Path(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".new")
    scratch.write_text(json.dumps(record), encoding="utf-8")
    os.replace(scratch, target)
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
