"""What a comparison of two checkpoints means: the lists, and the problems in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from qwen_ui.freeze import Selection
from qwen_ui.verify.change import Change
from qwen_ui.verify.checkpoint import Checkpoint
from qwen_ui.verify.pairs import Pairs
from qwen_ui.verify.verification import Problem, Verification

SHOWN = 3
# A matrix that training moved by ten times its own norm still has a cosine of 0.1 with the base's.
UNRELATED = 0.1


def findings(
    named: tuple[str, str],
    before: Checkpoint,
    after: Checkpoint,
    pairs: Pairs,
    selection: Selection | None,
) -> Verification:
    """The verification of these pairs against this plan.

    Args:
        named: base and tuned, as the person named them.
    """
    anatomy = pairs.anatomy
    changed = tuple(change for change in pairs.changes if not change.equal_after_cast)
    recast = tuple(change for change in pairs.changes if change.equal_after_cast)
    reached = after.values.keys() if after.form == "adapter" else frozenset[str]()
    inert = tuple(name for name in pairs.unchanged if name in reached)
    moved = {change.name for change in changed}
    frozen: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    if selection is not None:
        frozen = pairs.in_order([name for name in moved if name not in selection.names])
        # What adapters do not reach cannot change, whatever the plan says.
        asked = selection.names & reached if after.form == "adapter" else selection.names
        still = pairs.in_order([n for n in asked if n not in moved and n not in pairs.missing])
    unexpected = [n for n in after.unexpected if n not in before.unexpected]
    found = Verification(
        *named,
        after.form,
        anatomy,
        changed=changed,
        recast=recast,
        unchanged=tuple(pairs.unchanged),
        missing=pairs.in_order(pairs.missing),
        unexpected=tuple(dict.fromkeys(unexpected)),
        inert=inert,
        broken_ties=tuple(g for g in anatomy.tied if pairs.tie_is_broken(g)),
        not_finite=pairs.not_finite,
        plan=None if selection is None else selection.plan,
        frozen_but_changed=frozen,
        trainable_but_unchanged=still,
    )
    problems = (*_errors(found), *_warnings(found, after, pairs, selection))
    noted = [Problem(severity, said) for severity, said in after.notes]
    return replace(found, problems=tuple(sorted([*noted, *problems], key=lambda p: p.severity)))


def _errors(found: Verification) -> Iterator[Problem]:
    told: tuple[tuple[Sequence[str], str], ...] = (
        (found.frozen_but_changed, "{count} that the plan freezes changed: {names}."),
        (
            [n for n in found.trainable_but_unchanged if n not in found.inert],
            "{count} that the plan trains did not change: {names}.",
        ),
        (found.inert, "Adapters add nothing to {count}: {names}."),
        (list(found.not_finite), "{count} hold NaN or infinite values: {names}."),
        (found.missing, "{count} of the base are missing: {names}."),
        (found.unexpected, "{count} are not of the base's model: {names}."),
        (found.reshaped, "{count} are of another shape: {names}."),
    )
    for names, sentence in told:
        if names:
            yield Problem("error", sentence.format(count=_count(names), names=_listed(names)))
    for group in found.broken_ties:
        yield Problem(
            "error",
            f"{' and '.join(group)} are one tensor in the base and hold different values here.",
        )


def _warnings(
    found: Verification, after: Checkpoint, pairs: Pairs, selection: Selection | None
) -> Iterator[Problem]:
    for group in _untied(found, after):
        yield Problem(
            "warning",
            f"{' and '.join(group)} are tied in the base, and the checkpoint's configuration does "
            "not tie them: trained further, they part.",
        )
    for dtype in ("bfloat16", "float16"):
        names = [change.name for change in found.changed if change.round_trip == dtype]
        if names:
            yield Problem(
                "warning",
                f"{_count(names)} are the base's values rounded to {dtype} and widened again: "
                f"{_listed(names)}.",
            )
    back = [change for change in found.changed if change.rounds_back]
    if back:
        names = [change.name for change in back]
        kinds = sorted({c.dtypes[0] for c in back})
        yield Problem(
            "warning",
            f"{_count(names)} changed by less than the base's dtype holds: rounded to "
            f"{', '.join(kinds)} they are the base's ({_listed(names)}). If training began from "
            "weights in a wider dtype, give those as the base.",
        )
    yield from _of_dtypes(found)
    if pairs.absent:
        names = pairs.absent
        yield Problem("warning", f"The base's files lack {_count(names)}: {_listed(names)}.")
    blocks = _unrelated(found.changed)
    if blocks:
        listed = _listed([str(block) for block in blocks])
        yield Problem(
            "warning",
            "No matrix has anything in common with the base's, as if it came from another "
            f"checkpoint (cosine below {UNRELATED:g}), by block: {listed}.",
        )
    if pairs.not_finite_base:
        names = pairs.not_finite_base
        yield Problem(
            "warning",
            f"The base itself has NaN or infinite values in {_count(names)}: {_listed(names)}.",
        )
    if selection is not None and after.form == "adapter":
        left = pairs.in_order([n for n in selection.names if n not in after.values])
        if left:
            yield Problem(
                "warning",
                f"{_count(left)} of the plan have no adapter, so they stay as they are: "
                f"{_listed(left)}.",
            )


def _of_dtypes(found: Verification) -> Iterator[Problem]:
    """Of tensors that are stored otherwise than the base's."""
    told = (
        (
            [change for change in found.recast if not change.dequantized],
            "{count} are in another dtype ({kinds}) and equal after the cast.",
        ),
        (
            [change for change in found.recast if change.dequantized],
            "{count} are stored otherwise ({kinds}) and equal after dequantizing.",
        ),
        (
            [change for change in found.changed if change.quantized_since],
            "{count} are quantized here and not so in the base ({kinds}): their change holds what "
            "quantizing rounds off. To tell what training did, quantize the base the same way and "
            "give that as the base.",
        ),
    )
    for changes, sentence in told:
        if changes:
            kinds = ", ".join(sorted({f"{c.dtypes[0]} → {c.dtypes[1]}" for c in changes}))
            count = _count([change.name for change in changes])
            yield Problem("warning", sentence.format(count=count, kinds=kinds))


def _untied(found: Verification, after: Checkpoint) -> list[tuple[str, ...]]:
    """Ties of the base that the checkpoint's own configuration does not have."""
    if after.tied is None:
        return []
    kept = [set(group) for group in after.tied]
    return [
        group
        for group in found.anatomy.tied
        if group not in found.broken_ties and not any(set(group) <= other for other in kept)
    ]


def _unrelated(changed: Sequence[Change]) -> list[int]:
    """Blocks whose matrices all have next to nothing in common with the base's."""
    matrices: dict[int, list[float]] = {}
    for change in changed:
        if change.block is not None and change.rank is not None and change.cosine is not None:
            matrices.setdefault(change.block, []).append(abs(change.cosine))
    return [block for block, found in sorted(matrices.items()) if max(found) < UNRELATED]


def _count(names: Sequence[str]) -> str:
    return "1 tensor" if len(names) == 1 else f"{len(names):,} tensors"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
