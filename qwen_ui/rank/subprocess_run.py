"""Ranking in a process of its own, whose memory is free again when it is done.

`python -m qwen_ui.rank.subprocess_run MODEL DATA COLUMNS FOLDER METHOD...` is that process: it
writes its progress to standard output, what went wrong to standard error, and the rankings to the
folder.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from qwen_ui import visits
from qwen_ui.errors import DataError, UserError
from qwen_ui.rank.methods import METHODS
from qwen_ui.rank.ranking import Ranking
from qwen_ui.rank.run import rank_all
from qwen_ui.rank.saved_rankings import folder_for, is_saved, read_ranking, save_ranking
from qwen_ui.rank.scores import Progress, ignore_progress
from qwen_ui.workers import child_environment

MISTAKE = 2


def rank_in_subprocess(
    model: str, data: str, method: str, on_progress: Progress = ignore_progress
) -> Ranking:
    """`rank_all_in_subprocess` of one method."""
    return rank_all_in_subprocess(model, data, (method,), on_progress)[method]


def rank_all_in_subprocess(
    model: str,
    data: str,
    methods: Sequence[str] = tuple(METHODS),
    on_progress: Progress = ignore_progress,
    columns: str | None = None,
) -> dict[str, Ranking]:
    """As `rank_all` with its default settings, in another process; what was ranked is kept.

    Raises:
        UserError: as `rank_all`.
    """
    visits.refuse_model(model)
    visits.refuse_data(data)
    folder = folder_for(model, data, columns)
    missing = [method for method in methods if not is_saved(folder, method)]
    if missing:
        _run([model, data, columns or "", str(folder), *missing], on_progress)
    return {method: read_ranking(folder, method) for method in methods}


def _run(arguments: list[str], on_progress: Progress) -> None:
    """Run `main` in a process and follow its progress to the end."""
    # Errors go to a file: a pipe that nobody reads meanwhile would fill up and halt the process.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments],
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
                on_progress(int(done), int(total))
        code = process.wait()
        errors.seek(0)
        said = errors.read().strip()
    if code == MISTAKE:
        raise DataError(said.splitlines()[-1])
    if code:
        raise RuntimeError(f"ranking ended with {code}: {said[-2000:]}")


def main(model: str, data: str, columns: str, folder: str, *methods: str) -> int:
    """Rank, and save the rankings in this folder."""
    try:
        found = rank_all(model, data, methods, columns=columns or None, on_progress=_print_progress)
    except UserError as error:
        print(error, file=sys.stderr)
        return MISTAKE
    for ranking in found.values():
        save_ranking(Path(folder), ranking)
    return 0


def _print_progress(done: int, total: int) -> None:
    print(done, total, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
