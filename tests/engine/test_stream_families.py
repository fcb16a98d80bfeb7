"""Frozen blocks read one by one in other families: to the same bits, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui.engine import StreamError, proven_loop
from qwen_ui.engine.prefix_choice import PrefixChoice
from qwen_ui.model import open_model
from qwen_ui.model.families import model_types
from tests.helpers.checkpoint_families import save_random
from tests.helpers.family_proofs import build
from tests.helpers.streamed import last, train
from tests.helpers.streamed_families import NotTrained, stream_family
from tests.helpers.tiny_families import tiny_configuration

# Type: what is said where it is refused.
KNOWN = {
    "bamba": "",  # blocks give pairs
    "gemma4_text": "KeyError: 'sliding_attention'",  # keys and values are shared
    "hrm_text": "block 0 runs 6 times",
    "phimoe": "they change at random from step to step",
    "qwen3_next": "",  # experts are stacked when they load; states of another kind
    "zamba2": "",  # blocks share tensors that the files hold once
}


# A refusal says what to do.
INSTEAD = ("keep, which loads all of them.", "Set prefix to keep", "Load the whole model instead")


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
    assert found.refusal == "" or any(way in found.refusal for way in INSTEAD)


def test_chosen_by_itself_a_family_that_only_proofs_refuse_is_held_where_it_fits(
    sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_random(tmp_path / "hrm", tiny_configuration("hrm_text"))
    base, free = str(tmp_path / "hrm"), {"bytes": 0.0}
    size = sum(parameter.numel for parameter in open_model(base).parameters) * 4
    monkeypatch.setattr(proven_loop, "free_bytes", lambda device: free["bytes"])
    monkeypatch.setattr(
        "qwen_ui.engine.setup.choose_prefix", lambda *_: PrefixChoice("stream", "streamed")
    )
    free["bytes"] = size
    chosen = train(tmp_path / "hrm", sentences, last(2), tmp_path / "auto")
    assert any("All weights are held" in note for note in chosen.prepared.notes)
    assert any("block 0 runs 6 times" in note for note in chosen.prepared.notes)
    assert "streamed" not in chosen.prepared.notes
    free["bytes"] = size - 1
    with pytest.raises(StreamError, match="block 0 runs 6 times"):
        train(tmp_path / "hrm", sentences, last(2), tmp_path / "refused")
    monkeypatch.undo()
    held = train(tmp_path / "hrm", sentences, last(2), tmp_path / "keep", prefix="keep")
    assert chosen.figures == held.figures
