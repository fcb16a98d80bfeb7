"""The name that a person probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

# difflib compares every pair of letters; a model may have half a million names.
MOST_COMPARED = 4000
LONGEST = 200


def nearest(entry: str, candidates: Sequence[str]) -> str:
    """The candidate that is spelled most alike; empty where none is near.

    Of an entry with dots, the parts are compared where no whole name is near: what is given back is
    then the nearest last part.
    """
    if len(entry) > LONGEST:
        return ""
    plain = entry.strip("^$").replace("\\.", ".")
    whole = list(dict.fromkeys(candidates))[:MOST_COMPARED]
    found = difflib.get_close_matches(plain, whole, n=1, cutoff=0.6)
    if found:
        return "" if found[0] == plain else found[0]
    parts = list(dict.fromkeys(part for name in whole for part in name.split(".")))
    for part in reversed(plain.split(".")):
        if part in parts:
            continue
        found = difflib.get_close_matches(part, parts[:MOST_COMPARED], n=1, cutoff=0.6)
        if found:
            return found[0]
    return ""
