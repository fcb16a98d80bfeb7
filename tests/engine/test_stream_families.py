"""Frozen blocks read one by one in other families: to the same bits, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.model.families import model_types
from tests.helpers.family_proofs import build
from tests.helpers.streamed_families import NotTrained, stream_family

pytestmark = pytest.mark.filterwarnings("ignore")
# Type: what is said where it is refused.
KNOWN = {
    "bamba": "",  # blocks give pairs
    "gemma4_text": "KeyError: 'sliding_attention'",  # keys and values are shared
    "hrm_text": "block 0 runs 6 times",
    "phimoe": "they are others in training than in evaluation",
    "qwen3_next": "",  # experts are stacked when they load; states of another kind
    "zamba2": "",  # blocks share tensors that the files hold once
}


@pytest.mark.parametrize("family", KNOWN)
def test_a_family_is_equal_or_refused(family: str, tmp_path: Path) -> None:
    found = stream_family(family, tmp_path)
    said = KNOWN[family]
    assert found.verdict == ("refused" if said else "equal")
    assert said in found.refusal


@pytest.mark.long
@pytest.mark.parametrize("family", model_types())
def test_every_family_is_equal_or_refused(family: str, tmp_path: Path) -> None:
    try:
        build(family)
    except Exception:  # sizes that do not suit it: `tiny_families` has no better ones
        pytest.skip("no tiny model")
    try:
        found = stream_family(family, tmp_path)
    except NotTrained:
        pytest.skip("trains in no way")
    assert found.verdict != "off"
    assert found.refusal == "" or found.refusal.endswith("keep, which loads all of them.")
