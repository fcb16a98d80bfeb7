"""Every tensor of the base beside the tuned one, and what that comes to in lists of names."""

from __future__ import annotations

from collections.abc import Callable

from qwen_ui.model import Anatomy, Parameter
from qwen_ui.verify.change import (
    Change,
    Look,
    count_not_finite,
    look,
    measure,
    of_plain_numbers,
)
from qwen_ui.verify.checkpoint import Checkpoint, names_in_order
from qwen_ui.verify.values import Values

# (bytes of the base that were compared, bytes in all); what it raises ends the work.
OnProgress = Callable[[int, int], None]


class Pairs:
    """Compares every tensor of the base with the tuned one; see `Verification` for the lists."""

    def __init__(
        self,
        anatomy: Anatomy,
        before: Checkpoint,
        after: Checkpoint,
        intruders: bool,
        on_progress: OnProgress,
    ) -> None:
        self.anatomy, self.before, self.after = anatomy, before, after
        self._intruders, self._tell = intruders, on_progress
        self.changes: list[Change] = []
        self.unchanged: list[str] = []
        self.missing: list[str] = []
        self.not_finite: dict[str, int] = {}
        self.not_finite_base: list[str] = []
        self.absent = [p.name for p in anatomy.parameters if p.name not in before.values]

    def compare(self) -> None:
        """Go through the tensors in the model's order."""
        parameters = [p for p in self.anatomy.parameters if p.name in self.before.values]
        sizes = [
            self.before.bytes(p.name) if self.after.whole or p.name in self.after.values else 0
            for p in parameters
        ]
        done, total = 0, sum(sizes)
        self._tell(0, total)
        for parameter, size in zip(parameters, sizes, strict=True):
            tuned = self.after.values.get(parameter.name)
            if tuned is None:
                (self.missing if self.after.whole else self.unchanged).append(parameter.name)
            else:
                self._compare(parameter, self.before.values[parameter.name], tuned)
            done += size
            self._tell(done, total)

    def _compare(self, parameter: Parameter, base: Values, tuned: Values) -> None:
        name = parameter.name
        stored = self._look_at_parts(name)
        if stored.equal and stored.finite:
            self.unchanged.append(name)
            return
        forms = self._forms(name)
        seen = look(base, tuned)
        # What is stored otherwise, and becomes the same numbers, is not the base's bit by bit.
        if seen.equal and (stored.equal or not any(forms)):
            self.unchanged.append(name)
            if not seen.finite:
                self.not_finite[name] = count_not_finite(tuned)
                self.not_finite_base.append(name)
            return
        place = (name, parameter.block, parameter.kind)
        if seen.equal:
            change = Change(
                *place,
                relative_change=0.0,
                shapes=(base.shape, tuned.shape),
                dtypes=(base.dtype, tuned.dtype),
                equal_after_cast=True,
            )
        else:
            change = measure(*place, base, tuned, seek_intruders=self._intruders)
        if any(forms):
            change = of_plain_numbers(change, forms)
        if change.not_finite[1]:
            self.not_finite[name] = change.not_finite[1]
        if change.not_finite[0]:
            self.not_finite_base.append(name)
        if change.equal_after_cast and not self.after.dtype_counts:
            self.unchanged.append(name)
        else:
            self.changes.append(change)

    def _forms(self, name: str) -> tuple[str, str]:
        """How (base, tuned) are quantized; "" for a side that holds plain numbers."""
        return self.before.packed.get(name, ""), self.after.packed.get(name, "")

    def _look_at_parts(self, name: str) -> Look:
        """Whether both sides store a tensor in the same parts, and all of them are equal.

        Then it needs no conversion; what is quantized stays packed.
        """
        one, other = self.before.parts.get(name), self.after.parts.get(name)
        form, other_form = self._forms(name)
        if one is None or other is None or one.keys() != other.keys() or form != other_form:
            return Look(equal=False, finite=True)
        seen = [look(one[part], other[part]) for part in one]
        return Look(all(s.equal for s in seen), all(s.finite for s in seen))

    def tie_is_broken(self, names: tuple[str, ...]) -> bool:
        """Whether the tuned checkpoint stores different values under these names."""
        copies = list(self.after.copies.get(names[0], {}).values())
        return any(not _equal(copies[0], other) for other in copies[1:])

    def in_order(self, names: list[str]) -> tuple[str, ...]:
        return tuple(names_in_order(self.anatomy, names))


def _equal(one: Values, other: Values) -> bool:
    """Both are read through one buffer, so a piece of the first is copied."""
    copied = Values(one.shape, one.dtype, lambda first, rows: one.read(first, rows).clone())
    return look(copied, other).equal
