"""Which blocks matter, on a person's own data: every method, in as few passes as will do.

`rank` works in this process; `rank_apart` and `rank_all_apart` in one of their own, and keep what
they found under `QWEN_UI_HOME/rankings`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from qwen_ui.data.batches import Batch, collate, load_examples
from qwen_ui.errors import DataError, SettingsError, UserError
from qwen_ui.files import write_json
from qwen_ui.model import open_model
from qwen_ui.model.weights.fingerprint import folder_fingerprint
from qwen_ui.model.weights.loading import load_model, load_tokenizer, weights_folder
from qwen_ui.paths import home
from qwen_ui.rank.activations import (
    activation_pass,
    activation_scores,
    change_scores,
    wanda_scores,
)
from qwen_ui.rank.gradients import (
    fisher_pass,
    fisher_scores,
    gradient_pass,
    gradient_scores,
    relative_fisher_scores,
    relative_gradient_scores,
)
from qwen_ui.rank.ranking import Ranking, Words, agreement, rank_correlation, words_of
from qwen_ui.rank.scores import Scores, Tick, ablation_scores, weight_scores
from qwen_ui.workers.processes import child_environment

__all__ = [
    "METHODS",
    "WORDS",
    "Ranking",
    "agreement",
    "rank",
    "rank_all",
    "rank_all_apart",
    "rank_apart",
    "rank_correlation",
]

METHODS: dict[str, Callable[..., Scores]] = {
    "gradient": gradient_scores,
    "relative-gradient": relative_gradient_scores,
    "fisher": fisher_scores,
    "relative-fisher": relative_fisher_scores,
    "activation": activation_scores,
    "change": change_scores,
    "wanda": wanda_scores,
    "weight": weight_scores,
    "ablation": ablation_scores,
}
WORDS: dict[str, Words] = {name: words_of(method) for name, method in METHODS.items()}
# What one pass over the model answers; the other methods take a pass each.
_SHARED: tuple[tuple[Callable[..., dict[str, Scores]], tuple[str, ...]], ...] = (
    (gradient_pass, ("gradient", "relative-gradient")),
    (fisher_pass, ("fisher", "relative-fisher")),
    (activation_pass, ("activation", "change", "wanda")),
)
SEQUENCES, BATCH_SIZE, SEQUENCE_LENGTH = 32, 8, 128


def _no_tick(done: int, total: int) -> None:
    pass


def rank(model: str, data: str, method: str, **settings: Any) -> Ranking:
    """`rank_all` of one method."""
    return rank_all(model, data, (method,), **settings)[method]


def rank_all(
    model: str,
    data: str,
    methods: Sequence[str] = tuple(METHODS),
    *,
    sequences: int = SEQUENCES,
    batch_size: int = BATCH_SIZE,
    sequence_length: int = SEQUENCE_LENGTH,
    tick: Tick = _no_tick,
) -> dict[str, Ranking]:
    """Score every block of a model whose weights are at hand, in float32.

    Args:
        data: as for training; its first `sequences` sequences are used. `weight` reads none.
        methods: keys of `METHODS`. What their passes answer beside is among the rankings too.
        tick: told (done, total) after every piece of work, `total` being 1,000 times the passes.

    Raises:
        UserError: the model, the data or a setting cannot be used.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        named = f"There is no method '{unknown[0]}'." if unknown else "Name a method."
        raise SettingsError(f"{named} There are {', '.join(METHODS)}.")
    if sequences < 1 or batch_size < 1 or sequence_length < 2:
        raise SettingsError(
            "Ranking needs at least 1 sequence of 2 tokens, and a batch size of at least 1."
        )
    anatomy = open_model(model)
    folder = weights_folder(anatomy)
    tokenizer = load_tokenizer(folder)
    batches = _batches(data, tokenizer, sequences, batch_size, sequence_length)
    module = load_model(folder, anatomy, torch.float32).eval().requires_grad_(False)
    used = sum(len(batch.indexes) for batch in batches)
    found: dict[str, Scores] = {}
    passes = _passes(methods)
    for number, take in enumerate(passes):
        found |= take(module, anatomy, batches, _part_of(tick, number, len(passes)))
    return {name: Ranking(model, name, scores, used) for name, scores in found.items()}


def _passes(methods: Sequence[str]) -> list[Callable[..., dict[str, Scores]]]:
    """The passes that answer these methods, each once."""
    shared = [take for take, answers in _SHARED if set(answers) & set(methods)]
    together = {name for _, answers in _SHARED for name in answers}
    return shared + [_alone(method) for method in methods if method not in together]


def _alone(method: str) -> Callable[..., dict[str, Scores]]:
    return lambda *arguments: {method: METHODS[method](*arguments)}


def _part_of(tick: Tick, number: int, count: int) -> Tick:
    return lambda done, total: tick(1000 * number + 1000 * done // total, 1000 * count)


def rank_apart(model: str, data: str, method: str, tick: Tick = _no_tick) -> Ranking:
    """`rank_all_apart` of one method."""
    return rank_all_apart(model, data, (method,), tick)[method]


def rank_all_apart(
    model: str, data: str, methods: Sequence[str] = tuple(METHODS), tick: Tick = _no_tick
) -> dict[str, Ranking]:
    """As `rank_all`, in a process of its own that ends when it is done; what was ranked is kept.

    Raises:
        UserError: as `rank_all`.
    """
    folder = home() / "rankings" / _key(model, data)
    missing = [method for method in methods if not (folder / f"{method}.json").is_file()]
    if missing:
        _work_apart([model, data, str(folder), *missing], tick)
    return {method: _kept(folder / f"{method}.json") for method in methods}


def _kept(file: Path) -> Ranking:
    return Ranking.from_record(json.loads(file.read_text(encoding="utf-8")))


def _work_apart(arguments: list[str], tick: Tick) -> None:
    """Run `_main` in a process: its standard output tells how far it is, its errors what failed."""
    # Errors go to a file: a pipe that nobody reads meanwhile would fill up and halt the process.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "qwen_ui.rank.run", *arguments],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                done, _, total = line.partition(" ")
                tick(int(done), int(total))
        code = process.wait()
        errors.seek(0)
        said = errors.read().strip()
    if code == 2:
        raise DataError(said.splitlines()[-1])
    if code:
        raise RuntimeError(f"ranking ended with {code}: {said[-2000:]}")


def _key(model: str, data: str) -> str:
    """Names the very weights, data and settings."""
    folder = weights_folder(open_model(model))
    file = Path(data)
    content = file.read_bytes() if file.is_file() else b""
    settings = [SEQUENCES, BATCH_SIZE, SEQUENCE_LENGTH]
    parts = (folder_fingerprint(folder), data, settings, hashlib.sha256(content).hexdigest())
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


def _main(model: str, data: str, folder: str, *methods: str) -> int:
    """What `rank_all_apart` starts: rank, and put the records where they are looked for."""
    try:
        tell = lambda done, total: print(done, total, flush=True)  # noqa: E731
        found = rank_all(model, data, methods, tick=tell)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    Path(folder).mkdir(parents=True, exist_ok=True)
    for method, ranking in found.items():
        write_json(Path(folder) / f"{method}.json", ranking.record())
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
