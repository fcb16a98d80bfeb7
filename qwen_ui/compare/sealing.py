"""Seal a finished run or comparison from its folder, and hold a seal against that folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwen_ui import __version__
from qwen_ui.compare.comparison import Comparison, has_comparison, read_comparison
from qwen_ui.compare.seal import AnySeal, ComparisonSeal, Seal, closed, read_seal, write_seal
from qwen_ui.compare.sealed_run import digests, measure, seal_run
from qwen_ui.compare.verdict import comparison_record
from qwen_ui.errors import RunError
from qwen_ui.paths import named_path
from qwen_ui.runs import run_folder, run_names

SEAL_NAME = "seal.json"
# Of the program that sealed: another version may say it otherwise, so the digest alone holds them.
OF_THE_SEALER = {"command", "price_told", "sealed_by", "digest"}


@dataclass(frozen=True, slots=True)
class Opened:
    """A seal whose digests hold.

    Attributes:
        seal: of a run or a comparison.
        here: whether all its runs are on this machine, and were held against it.
        new: whether it was made just now, because the run had none.
    """

    seal: AnySeal
    here: bool = True
    new: bool = False


def seal_of(run: str) -> Seal:
    """The seal in a run's folder, which still is as it was sealed; sealed now if there is none.

    Raises:
        RunError: as `seal_run`; the seal or a file that it covers was edited.
    """
    file = run_folder(run) / SEAL_NAME
    if not file.is_file():
        seal = seal_run(run)
        write_seal(file, seal)
        return seal
    found = read_seal(file)
    if not isinstance(found, Seal) or found.run != run:
        raise RunError(f"'{file}' is the seal of another run. Remove it, and seal this run anew.")
    refuse_changed(found)
    return found


def open_seal(named: str) -> Opened:
    """The seal that a person names, by its file or its run; runs that are here are held against it.

    Raises:
        RunError: there is none, or the seal or a run was edited.
    """
    path = named_path(named)
    if path is None or not path.is_file():
        new = not (run_folder(named) / SEAL_NAME).is_file()
        return Opened(seal_of(named), new=new)
    seal = read_seal(path)
    here = [run for run in runs_of(seal) if run.run in run_names()]
    for run in here:
        refuse_changed(run)
    whole = len(here) == len(runs_of(seal))
    if isinstance(seal, ComparisonSeal) and whole:
        _refuse_other_verdict(seal)
    return Opened(seal, here=whole)


def seal_comparison(comparison: Comparison, command: str) -> ComparisonSeal:
    """The seal of a comparison whose runs are all completed.

    Args:
        command: as it was typed.

    Raises:
        RunError: as `seal_run`.
    """
    told = comparison_record(comparison)
    seal = ComparisonSeal(
        comparison=comparison.name,
        command=command,
        verdict=told["verdict"],
        paired=told["paired"],
        runs=[seal_of(run) for run in comparison.runs],
    )
    return closed(seal)


def runs_of(seal: AnySeal) -> Sequence[Seal]:
    """The sealed runs."""
    return seal.runs if isinstance(seal, ComparisonSeal) else [seal]


def _refuse_other_verdict(seal: ComparisonSeal) -> None:
    """Refuse a verdict that the runs do not give.

    Where the comparison's file is gone nobody can say, and another version may word it otherwise.
    """
    former = any(run.sealed_by != __version__ for run in seal.runs)
    if former or not has_comparison(seal.comparison):
        return
    again = comparison_record(read_comparison(seal.comparison))
    if (seal.verdict, seal.paired) != (again["verdict"], again["paired"]):
        raise RunError(
            f"The seal of the comparison '{seal.comparison}' was edited: its runs give another "
            "verdict. Seal the comparison anew."
        )


def refuse_changed(seal: Seal) -> None:
    """Refuse a run whose folder is not what was sealed.

    Raises:
        RunError: it says which file or figure differs.
    """
    folder = run_folder(seal.run)
    here = digests(folder)
    for name in sorted(here.keys() | seal.files.keys()):
        if here.get(name) != seal.files.get(name):
            raise RunError(
                f"'{name}' of the run '{seal.run}' is not what was sealed: it was changed, added "
                "or removed since. Restore it from a copy, or train again."
            )
    sealed, again = (part.model_dump(exclude=OF_THE_SEALER) for part in (seal, measure(seal.run)))
    differs = next((name for name in sealed if sealed[name] != again[name]), None)
    if differs is not None:
        raise RunError(
            f"The seal of the run '{seal.run}' was edited: the run's folder gives another "
            f"'{differs}'. Seal the run anew."
        )
