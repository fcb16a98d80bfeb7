"""Frozen blocks that are read one by one from the files: to the last bit what they are together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from transformers.models.llama.modeling_llama import LlamaModel

from qwen_ui.engine import StreamError
from qwen_ui.errors import SettingsError
from qwen_ui.freeze import preset, resolve
from qwen_ui.freeze.cost import streamed_parameters
from qwen_ui.model import open_model
from qwen_ui.model.weights import PiecewiseModel, Stored
from qwen_ui.runs import RunWriter, create_run, run_summary
from qwen_ui.workers.worker import main
from tests.helpers.checkpoint_families import save_family, save_random
from tests.helpers.runs import events_of, losses_of, spec_for
from tests.helpers.runs import train as work
from tests.helpers.streamed import last, train
from tests.helpers.tiny_families import tiny_configuration

WITHOUT_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
NANO = Path("assets/nano").resolve()


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each family that these tests train."""
    folder = tmp_path_factory.mktemp("families")
    for family in ("llama", "gemma2", "qwen2_moe"):
        save_family(folder / family, family)
    save_family(folder / "gpt2", "gpt2", **WITHOUT_DROPOUT)
    return folder


@pytest.mark.parametrize(
    ("family", "depth"),
    [("llama", 1), ("llama", 2), ("llama", 3), ("gemma2", 2), ("gpt2", 2)],
)
def test_losses_norms_and_evaluations_are_equal(
    families: Path, sentences: Path, tmp_path: Path, family: str, depth: int
) -> None:
    held, streamed = (
        train(families / family, sentences, last(4 - depth), tmp_path / way, prefix=way)
        for way in ("keep", "stream")
    )
    assert held.prepared.loop.trainee.prefix_blocks == depth
    assert streamed.prepared.loop.trainee.prefix_blocks == depth
    assert streamed.figures == held.figures


def test_a_mixture_of_experts_is_equal_where_nothing_is_padded(
    families: Path, sentences: Path, tmp_path: Path
) -> None:
    """Padding goes to experts too, and with others beside them the sums of real tokens round
    otherwise: what lies on the way holds no padding."""
    long = tmp_path / "long.txt"
    parts = [f"{number} {'of many words in a row ' * 4}" for number in range(20)]
    long.write_text("\n\n".join(parts), encoding="utf-8")
    for data, equal in ((long, 0.0), (sentences, 1e-6)):
        held, streamed = (
            train(
                families / "qwen2_moe", data, last(2), tmp_path / f"{data.stem}-{way}", prefix=way
            )
            for way in ("keep", "stream")
        )
        lengths = {len(item.tokens) for item in held.prepared.data.training.items}
        assert (len(lengths) == 1) == (equal == 0.0)
        assert streamed.losses == pytest.approx(held.losses, rel=equal, abs=0.0)
        assert streamed.after == pytest.approx(held.after, rel=equal, abs=0.0)


def test_nano_is_equal(sentences: Path, tmp_path: Path) -> None:
    held, streamed = (
        train(NANO, sentences, last(4), tmp_path / way, prefix=way) for way in ("keep", "stream")
    )
    assert streamed.figures == held.figures


@pytest.mark.long
@pytest.mark.parametrize("depth", range(1, 28))
def test_nano_is_equal_at_every_depth(sentences: Path, tmp_path: Path, depth: int) -> None:
    held, streamed = (
        train(NANO, sentences, last(28 - depth), tmp_path / way, prefix=way)
        for way in ("keep", "stream")
    )
    assert streamed.prepared.loop.trainee.prefix_blocks == depth
    assert streamed.figures == held.figures


@pytest.mark.parametrize(("family", "spared"), [("llama", True), ("gemma2", False)])
def test_what_is_priced_as_read_once_has_no_weights_while_the_others_train(
    families: Path, sentences: Path, tmp_path: Path, family: str, spared: bool
) -> None:
    """With the frozen blocks the embedding, unless the head is the same tensor."""
    streamed = train(families / family, sentences, last(1), tmp_path / "a", prefix="stream")
    model, anatomy = streamed.prepared.model, open_model(str(families / family))
    held = {name for name, _ in model.named_parameters()}
    absent = {p.name for p in streamed_parameters(resolve(last(1), anatomy))}
    assert held == {p.name for p in anatomy.parameters} - absent
    assert ("model.embed_tokens.weight" in absent) == spared
    assert not any(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("packing", [False, True])
def test_files_are_read_once_for_all_proofs_and_once_for_the_pass(
    families: Path,
    sentences: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    packing: bool,
) -> None:
    read: Counter[str] = Counter()
    load = PiecewiseModel.load

    def counted(self: PiecewiseModel, names: Iterable[str], found: Stored | None = None) -> Any:
        loaded = load(self, names, found)
        read.update(loaded)
        return loaded

    monkeypatch.setattr(PiecewiseModel, "load", counted)
    streamed = train(
        families / "llama", sentences, last(2), tmp_path / "a",
        prefix="stream", packing=packing,
    )  # fmt: skip
    anatomy = streamed.prepared.base.selection.anatomy
    once = {p.name for p in streamed_parameters(streamed.prepared.base.selection)}
    assert read == {p.name: 2 if p.name in once else 1 for p in anatomy.parameters}


def test_a_model_that_wants_its_mask_is_proven_with_it(
    families: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = LlamaModel.forward

    @wraps(forward)
    def masked(self: LlamaModel, *args: Any, **kwargs: Any) -> Any:
        if kwargs["attention_mask"] is None:
            raise ValueError("it wants its mask")
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(LlamaModel, "forward", masked)
    held, streamed = (
        train(families / "llama", sentences, last(2), tmp_path / way, prefix=way)
        for way in ("keep", "stream")
    )
    assert not streamed.prepared.loop.trainee.maskless
    assert streamed.figures == held.figures
    names = {name for name, _ in streamed.prepared.model.named_parameters()}
    assert "model.embed_tokens.weight" not in names


def test_an_embedding_that_later_blocks_look_at_stays_and_is_said(
    sentences: Path, tmp_path: Path
) -> None:
    """Zamba 2 gives its shared blocks the embeddings beside their input."""
    configuration = tiny_configuration("zamba2")
    configuration.tie_word_embeddings = False
    base = save_random(tmp_path / "zamba2", configuration)
    held, streamed = (
        train(base, sentences, last(1), tmp_path / way, prefix=way) for way in ("keep", "stream")
    )
    assert streamed.figures == held.figures
    assert any("embedding stays in memory" in note for note in streamed.prepared.notes)
    names = {name for name, _ in streamed.prepared.model.named_parameters()}
    assert "model.embed_tokens.weight" in names


def test_what_was_kept_is_shared_both_ways(
    families: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that holds the blocks reads what one that streamed them left, and the other way."""
    base, home = families / "llama", tmp_path / "home"
    train(base, sentences, last(2), home, prefix="stream")
    files = {file.name: file.stat().st_size for file in (home / "prefixes").iterdir()}
    home.with_suffix(".run").rename(tmp_path / "first")
    train(base, sentences, last(2), home, prefix="keep")
    assert {file.name: file.stat().st_size for file in (home / "prefixes").iterdir()} == files
    assert len([name for name in files if name.endswith(".kept")]) == 2


@pytest.mark.parametrize(
    ("plan", "said"),
    [(preset("embeddings"), "freezes no block below"), (preset("full"), "freezes no block below")],
)
def test_a_plan_without_a_prefix_is_refused(
    families: Path, sentences: Path, tmp_path: Path, plan: object, said: str
) -> None:
    with pytest.raises(StreamError, match=said):
        train(families / "llama", sentences, plan, tmp_path / "a", prefix="stream")  # type: ignore[arg-type]


def test_dropout_below_is_refused(sentences: Path, tmp_path: Path) -> None:
    base = save_family(tmp_path / "gpt2", "gpt2")
    with pytest.raises(StreamError, match="use dropout in training"):
        train(base, sentences, last(2), tmp_path / "a", prefix="stream")


def test_outputs_beyond_the_budget_are_refused(
    families: Path, sentences: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="prefix_budget_bytes allows"):
        train(
            families / "llama", sentences, last(2), tmp_path / "a",
            prefix="stream", prefix_budget_bytes=1000,
        )  # fmt: skip


def test_a_worker_streams_and_says_so(
    families: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_ui.runs.phases.TELL_SECONDS", 0.0)
    base = families / "llama"
    settings = {"layers": "last:1", "dtype": "float32", "device": "cpu"}
    streamed, held = (
        work(spec_for(base, sentences, prefix=way, **settings)) for way in ("stream", "keep")
    )
    assert losses_of(streamed) == losses_of(held)
    told, none = (
        [event for event in events_of(folder, "phase") if event["phase"] == "prefix"]
        for folder in (streamed, held)
    )
    done = [event["done"] for event in told]
    assert done == sorted(done)
    assert done[-1] == told[-1]["total"] > 3
    assert none == []
    starts = [events_of(folder, "start")[0] for folder in (streamed, held)]
    assert [start["prefix"] for start in starts] == ["streamed", "kept"]
    assert starts[0]["loaded_bytes"] < starts[1]["loaded_bytes"]


def test_a_person_stops_a_run_whose_blocks_are_read(
    families: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_ui.runs.phases.TELL_SECONDS", 0.0)
    spec = spec_for(families / "llama", sentences, prefix="stream", layers="last:1")
    folder = create_run(spec.to_dict(), spec.plan)
    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "stop_requested", True)
        assert main(folder) == 0
    assert run_summary(folder)["status"] == "stopped"
    assert "frozen blocks were read" in run_summary(folder)["reason"]
    assert main(folder) == 0
    assert run_summary(folder)["status"] == "completed"
