"""What the report's checks say of every family: `python -m tests.helpers.family_reports [TYPE]`.

Each tiny model is opened from its configuration alone and goes through the whole inspection report.
`--processes 2` shares the types out; a type that takes longer than `--limit` seconds is named.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils import logging

from qwen_ui.model import open_model
from qwen_ui.report import inspection_report
from tests.helpers.tiny_wrappers import built_types, configuration_of


@dataclass(frozen=True)
class FamilyReport:
    """What the report says of one family.

    Attributes:
        checks: number of checks.
        failing: question -> evidence, of those that did not pass.
        problem: why there is no report, "" where there is one.
    """

    model_type: str
    checks: int = 0
    failing: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def report_family(model_type: str) -> FamilyReport:
    """The report's checks on the tiny model of this type.

    Raises:
        Exception: whatever keeps the model from being opened or reported on.
    """
    report = inspection_report(open_model(configuration_of(model_type)))
    failing = tuple((c.name, c.evidence) for c in report.checks if not c.passed)
    return FamilyReport(model_type, len(report.checks), failing)


def _tried(asked: tuple[str, float]) -> FamilyReport:
    model_type, limit = asked
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        return report_family(model_type)
    except Exception as error:  # whatever fails in a family is what this table is for
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())[:200]
        problem = f"{type(error).__name__}: {said} ({Path(where.filename).name}:{where.lineno})"
        return FamilyReport(model_type, problem=problem)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(*_: object) -> None:
    raise TimeoutError("takes too long")


def family_reports(types: list[str], *, processes: int, limit: float) -> list[FamilyReport]:
    """The reports of these types, in their order.

    Args:
        processes: that share them out.
        limit: seconds for each type.
    """
    asked = [(model_type, limit) for model_type in types]
    if processes == 1:
        return [_tried(one) for one in asked]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return list(pool.imap(_tried, asked, chunksize=4))


def main(arguments: list[str]) -> None:
    """Print a line for each type that fails anything, then how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--limit", type=float, default=120.0)
    asked = parser.parse_args(arguments)
    found = family_reports(
        asked.types or list(built_types()), processes=asked.processes, limit=asked.limit
    )
    for report in found:
        if report.problem:
            print(f"- `{report.model_type}`: no report: {report.problem}")
        for name, evidence in report.failing:
            print(f"- `{report.model_type}`: {name} {evidence}")
    failing = [report for report in found if report.failing or report.problem]
    print(f"{len(found)} types, {sum(r.checks for r in found)} checks, {len(failing)} types fail.")


if __name__ == "__main__":
    main(sys.argv[1:])
