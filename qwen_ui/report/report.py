"""Anatomy and audit -> the architecture inspection report, in Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_ui.formats import percent, shape_text
from qwen_ui.model import Anatomy, Module, children_by_parent, find_folds
from qwen_ui.report.checks import Check, audit
from qwen_ui.report.description import architecture_in_words
from qwen_ui.report.freezing_notes import freezing_notes


@dataclass(frozen=True, slots=True)
class Report:
    """The report: its checks as records and the whole as Markdown."""

    checks: tuple[Check, ...]
    markdown: str


def inspection_report(anatomy: Anatomy) -> Report:
    """The inspection report of a model; the same text for the same model, without date or place.

    Raises:
        ModelError: the model cannot be built again to run the checks.
    """
    checks = audit(anatomy)
    sections = (
        _head(anatomy, checks),
        "## A. Every module and parameter\n\n" + _table(anatomy),
        "## B. The architecture in words\n\n" + architecture_in_words(anatomy),
        "## C. Freezing notes\n\n" + freezing_notes(anatomy),
        "## D. Sanity checks\n\n" + _checks(checks),
    )
    return Report(checks, "\n\n".join(sections) + "\n")


def _head(anatomy: Anatomy, checks: tuple[Check, ...]) -> str:
    failed = sum(not check.passed for check in checks)
    verdict = f"all {len(checks)} checks passed" if not failed else f"{failed} checks did not pass"
    return "\n".join(
        (
            f"# Architecture inspection report: {anatomy.source}",
            "",
            f"{anatomy.modules[0].class_name} (`{anatomy.model_type}`): "
            f"{anatomy.total_parameters:,} parameters in {len(anatomy.parameters):,} tensors, "
            f"{anatomy.block_count} blocks, {anatomy.bytes:,} bytes in {anatomy.dtype}; {verdict}.",
            "Read from the configuration alone: no weights were loaded."
            if anatomy.weights_folder is None
            else "Read from the configuration and the headers of the weight files.",
        )
    )


def _table(anatomy: Anatomy) -> str:
    """One row per module or tensor; identical modules of a list share the row of their first."""
    rows = [
        "| module or parameter | class or shape | parameters | share | role |",
        "|---|---|---:|---:|---|",
    ]
    walk = _TableWalk(anatomy)
    walk.module(anatomy.modules[0], anatomy.modules[0].name)
    return "\n".join(rows + walk.rows)


class _TableWalk:
    """Rows of the table in tree order, folds opened at their first member."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.rows: list[str] = []
        self.children = children_by_parent(anatomy.modules)
        self.folds = {fold.members[0]: fold for fold in find_folds(anatomy)}
        self.folded = {name for fold in self.folds.values() for name in fold.members[1:]}

    def module(self, module: Module, shown: str, times: int = 1) -> None:
        """Rows of a module; `times` says how many alike modules outside it the row stands for."""
        if module.name in self.folded:
            return
        fold = self.folds.get(module.name)
        if fold:
            times *= len(fold.indexes)
            shown = f"{shown.rpartition('.')[0]}.{{{fold.ranges}}}"
        title = f"**{fold.label}**" if fold else module.class_name
        self._row(f"`{shown}`" if shown else "(the model)", title, module.parameters * times, "")
        for name in module.own:
            self._tensor(name, shown, times)
        for child in self.children[module.name]:
            leaf = child.name.rpartition(".")[2]
            self.module(child, f"{shown}.{leaf}" if shown else leaf, times)

    def _tensor(self, name: str, shown: str, times: int) -> None:
        parameter = self.anatomy.by_name[name]
        leaf = name.rpartition(".")[2]
        path = f"`{shown}.{leaf}`" if shown else f"`{leaf}`"
        shape = shape_text(parameter.shape)
        if name == parameter.name:
            self._row(path, shape, parameter.numel * times, str(parameter.role))
        else:
            self._row(path, f"{shape}, the same tensor as `{parameter.name}`", 0, "")

    def _row(self, name: str, what: str, count: int, role: str) -> None:
        total = self.anatomy.total_parameters
        share = percent(count / total) if total else "0 %"
        self.rows.append(f"| {name} | {what} | {count:,} | {share} | {role} |")


def _checks(checks: tuple[Check, ...]) -> str:
    return "\n\n".join(
        f"{number}. **{check.name}** {'Passed' if check.passed else 'Did not pass'}. "
        f"{check.evidence}"
        for number, check in enumerate(checks, 1)
    )
