"""What a verification found, as a record."""

from __future__ import annotations

from dataclasses import dataclass, field

from qwen_ui.freeze import FreezePlan
from qwen_ui.model import Anatomy
from qwen_ui.verify.change import Change
from qwen_ui.verify.checkpoint import Form


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be; `severity` is "error" or "warning"."""

    severity: str
    message: str


@dataclass(frozen=True)
class Verification:
    """What a verification found. Names are first names in the base's model, in its order.

    Attributes:
        base, tuned: as they were named.
        form: of the tuned checkpoint.
        anatomy: of the base.
        changed: tensors that are not bitwise the base's, nor equal to it after a cast.
        recast: tensors in another dtype that are the base's after the cast, or, where a side is
            quantized, after dequantizing.
        unchanged: tensors that are the base's, bit by bit; recast ones among them where the form
            has no dtypes of its own.
        missing: of the base, and not in the tuned checkpoint.
        unexpected: in the tuned checkpoint, and not in the base's model.
        reshaped: names in `changed` whose shape is another one.
        inert: tensors that an adapter is on and adds nothing to.
        broken_ties: groups of names that are one tensor in the base and are not here.
        not_finite: name to how many values of the tuned tensor are NaN or infinite.
        plan: that it was held against; None for none.
        frozen_but_changed, trainable_but_unchanged: where the plan was not kept.
        problems: all of it in sentences.
    """

    base: str
    tuned: str
    form: Form
    anatomy: Anatomy = field(repr=False)
    changed: tuple[Change, ...] = ()
    recast: tuple[Change, ...] = ()
    unchanged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    inert: tuple[str, ...] = ()
    broken_ties: tuple[tuple[str, ...], ...] = ()
    not_finite: dict[str, int] = field(default_factory=dict)
    plan: FreezePlan | None = None
    frozen_but_changed: tuple[str, ...] = ()
    trainable_but_unchanged: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def reshaped(self) -> tuple[str, ...]:
        return tuple(change.name for change in self.changed if change.reshaped)

    @property
    def kept(self) -> bool:
        """Whether nothing is wrong: the plan was kept, where there is one."""
        return not any(problem.severity == "error" for problem in self.problems)
