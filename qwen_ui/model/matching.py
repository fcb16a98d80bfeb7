"""A person's regular expressions on parameter names, within limits of time, memory and length.

The semantics are those of Python's `re`, because the tools that plans are exported to use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from qwen_ui.errors import PlanError
from qwen_ui.limited import LIGHT, Limits

MAX_PATTERN = 2000  # characters
# For all patterns of one question.
MATCHING = Limits(seconds=1.0, memory=512 * 1024**2, patience=30.0)

Method = Literal["search", "match", "fullmatch"]


def match_names(
    patterns: Sequence[str], names: Sequence[str], *, method: Method = "search"
) -> list[list[int]]:
    """Of each pattern, the indexes of the names that it matches.

    Args:
        method: of Python's `re`: anywhere in a name, at its beginning, or the name as a whole.

    Raises:
        PlanError: a pattern is too long, is no regular expression, or takes too long.
    """
    if not patterns:
        return []
    found: list[list[int]] = _asked("match", patterns, names, method=method)
    return found


def matched_groups(
    patterns: Sequence[str], names: Sequence[str], group: str
) -> list[list[str | None]]:
    """Of each pattern, what its group of this name holds in each name, matched at the beginning.

    None where the pattern does not match a name.

    Raises:
        PlanError: as `match_names`.
    """
    if not patterns:
        return []
    found: list[list[str | None]] = _asked("matched_groups", patterns, names, group=group)
    return found


def _asked(task: str, patterns: Sequence[str], names: Sequence[str], **how: str) -> Any:
    for pattern in patterns:
        if len(pattern) > MAX_PATTERN:
            raise PlanError(
                f"The pattern '{pattern[:60]}...' has {len(pattern):,} characters; {MAX_PATTERN:,} "
                "are the limit. Use several shorter ones."
            )

    def refusal(why: str) -> PlanError:
        return PlanError(
            f"{_shown(patterns)} took too long on these names ({why}). Repetitions within "
            "repetitions, such as (a+)+, are the usual reason: write each repetition once."
        )

    asked = {"patterns": list(patterns), "names": list(names), **how}
    answer = LIGHT.run(f"qwen_ui.model.matcher_task:{task}", asked, MATCHING, refusal)
    if "wrong" in answer:
        index, why = answer["wrong"]
        raise PlanError(
            f"{_shown([patterns[index]])} is not a valid regular expression ({why}). "
            r"Write for instance layers\.2[4-7]\..*\.bias."
        )
    return answer["found"]


def check_pattern(pattern: str) -> None:
    """Refuse what is no regular expression, or too long, or takes too long to compile.

    Raises:
        PlanError: it is one of these.
    """
    match_names([pattern], ())


def _shown(patterns: Sequence[str]) -> str:
    first = patterns[0] if len(patterns[0]) <= 80 else f"{patterns[0][:80]}..."
    return f"'{first}'" + (f" and {len(patterns) - 1:,} more" if len(patterns) > 1 else "")
