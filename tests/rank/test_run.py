"""All methods on the twin, in as few passes as possible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import DataError, SettingsError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from qwen_ui.rank import (
    METHODS,
    Ranking,
    rank,
    rank_all,
)
from qwen_ui.rank.run import device_of
from tests.helpers.checkpoint_families import save_family

SHORT: dict[str, Any] = {"sequences": 4, "batch_size": 2, "sequence_length": 32}


@pytest.mark.slow
def test_nano_is_ranked_by_all_methods_on_the_shipped_data() -> None:
    data = str(ASSETS / "data" / "kjv-eval.txt")
    told: list[tuple[int, int]] = []
    found = rank_all("nano", data, **SHORT, on_progress=lambda *pair: told.append(pair))
    assert found.keys() == METHODS.keys()
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    # Seven methods take three passes; weight and ablation one each.
    assert told[-1][1] == 5 * 1000
    for method, ranking in found.items():
        record = ranking.record()
        assert record["method"] == method
        assert [block["index"] for block in record["blocks"]] == list(range(28))
        assert len(record["top"]) == 4
        assert Ranking.from_record(json.loads(json.dumps(record))) == ranking
    assert rank("nano", data, "gradient", **SHORT) == found["gradient"]
    plan = found["fisher"].plan(preset("attention"))
    assert resolve(plan, open_model("nano")).names


def test_mistakes_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(DataError):
        rank("nano", str(empty), "gradient")
    with pytest.raises(SettingsError, match="ablation"):
        rank("nano", str(empty), "magic")
    with pytest.raises(SettingsError, match="at least"):
        rank("nano", str(empty), "gradient", sequences=0)


@pytest.mark.parametrize(("free", "device"), [(49e6, "cuda"), (48e6, "cpu")])
def test_a_gpu_ranks_where_it_has_room(
    monkeypatch: pytest.MonkeyPatch, free: float, device: str
) -> None:
    """Nano's 6,043,776 parameters in float32, twice, are 48.4 MB."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (free, 10 * free))
    assert device_of(open_model("nano")).type == device
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert device_of(open_model("nano")).type == "cpu"


@pytest.mark.parametrize("family", ["tiny", "mixture"])
def test_what_does_not_fit_is_read_block_by_block_and_ranked_the_same(
    family: str, tiny: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny if family == "tiny" else save_family(tmp_path / "moe", "qwen2_moe")
    able = [name for name, method in METHODS.items() if method.by_blocks]
    assert able == ["activation", "change", "wanda", "weight"]
    held = rank_all(str(model), str(sentences), able, **SHORT)
    monkeypatch.setattr("qwen_ui.rank.run.free_memory", lambda: 1000)
    monkeypatch.setattr("qwen_ui.rank.run.load_model", lambda *_: pytest.fail("all is loaded"))
    assert rank_all(str(model), str(sentences), able, **SHORT) == held
    with pytest.raises(SettingsError, match=r"'gradient' needs all weights .*: activation, "):
        rank_all(str(model), str(sentences), **SHORT)
