"""A seal is refused when a byte of it, or of what it covers, is another; limits hold or do not."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.compare import Limits, Seal, open_seal, replay, replay_spec, seal_of, ship, write_seal
from qwen_ui.compare.noise_floor import noise_floor
from qwen_ui.compare.seal import Told, closed, parse_seal, read_seal, seal_text
from qwen_ui.compare.sealed_run import COVERED, seal_run, tensor_digest
from qwen_ui.compare.sealing import SEAL_NAME, Opened
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.freeze.cost import price
from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    DELTA_NAME,
    RunWriter,
    create_run,
    read_held_out,
    read_kept_text,
    standard_error,
)
from tests.helpers.runs import spec_for, train

STEPS = 4


@pytest.fixture(scope="module")
def trained(
    tiny: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Folders of sealed runs: with a text to keep, without one, of adapters."""
    home = tmp_path_factory.mktemp("sealed")
    kept = home / "kept.jsonl"
    kept.write_text("\n".join(json.dumps({"text": f"keep this one {i}" * 2}) for i in range(9)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QWEN_UI_HOME", str(home))
        settings: dict[str, Any] = {"steps": STEPS, "learning_rate": 1e-2, "sample_tokens": 0}
        found = {
            "kept": train(spec_for(tiny, sentences, keep=str(kept), **settings)),
            "plain": train(spec_for(tiny, sentences, "bitfit", **settings)),
            "lora": train(spec_for(tiny, sentences, lora_rank=2, **settings)),
        }
        for folder in found.values():
            seal_of(folder.name)
    return found


@pytest.fixture
def run(trained: dict[str, Path]) -> Path:
    """A copy of the run with a text to keep, in this test's own home."""
    return copied(trained["kept"])


def copied(folder: Path) -> Path:
    runs_folder().mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(folder, runs_folder() / folder.name))


def edited(file: Path, at: int) -> None:
    """One bit of one byte is another."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def sealed(folder: Path) -> Seal:
    found = read_seal(folder / SEAL_NAME)
    assert isinstance(found, Seal)
    return found


def test_the_seal_has_the_figures_of_the_run(run: Path) -> None:
    seal = sealed(run)
    held_out, kept = read_held_out(run), read_kept_text(run)
    assert held_out is not None
    assert kept is not None
    assert seal.keep is not None
    assert seal.held_out.gain == held_out.gain
    assert seal.held_out.gain_error == held_out.gain_error
    assert seal.held_out.before - seal.held_out.after == pytest.approx(held_out.gain, abs=1e-12)
    assert (seal.keep.forgetting, seal.keep.kl) == (kept.forgetting, kept.divergence)
    assert seal.files.keys() == set(COVERED)
    assert seal.data.keys() == {
        "training_fingerprint", "evaluation_fingerprint", "keep_fingerprint",
    }  # fmt: skip
    assert seal.environment["packages"]["torch"]
    assert "--plan plan.json" in seal.command
    assert str(run) not in seal.command
    assert seal.price_taken.peak_bytes > 0
    assert seal.price_told is not None
    assert seal.price_told.flops_step > 0


def test_the_price_told_is_that_of_the_train_page(run: Path) -> None:
    from qwen_ui.engine import step_of  # noqa: PLC0415  loads torch
    from qwen_ui.freeze import FreezePlan, resolve  # noqa: PLC0415
    from qwen_ui.freeze.cost import OVERHEAD_BYTES  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415
    from qwen_ui.runs import read_spec  # noqa: PLC0415

    spec = read_spec(run)
    anatomy = open_model(spec.model.source)
    selection = resolve(FreezePlan.from_dict(spec.plan), anatomy)
    cost = price(anatomy, selection, step_of(spec, anatomy, "cpu", "keep"))
    told = Told(peak_bytes=int(cost.peak_bytes + OVERHEAD_BYTES), flops_step=cost.flops_step)
    assert seal_run(run.name).price_told == told


@pytest.mark.parametrize("name", COVERED)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_an_edited_byte_of_a_covered_file_is_refused(run: Path, name: str, place: float) -> None:
    assert open_seal(run.name).here
    file = run / name
    edited(file, int(place * file.stat().st_size))
    with pytest.raises(RunError, match=f"'{name}' of the run .* is not what was sealed"):
        open_seal(run.name)
    with pytest.raises(RunError, match="is not what was sealed"):
        open_seal(str(run / SEAL_NAME))


def test_a_file_that_is_gone_or_new_is_refused(run: Path, trained: dict[str, Path]) -> None:
    (run / "keep.json").unlink()
    with pytest.raises(RunError, match=r"'keep\.json'"):
        open_seal(run.name)
    plain = copied(trained["plain"])
    shutil.copy(trained["kept"] / "keep.json", plain)
    with pytest.raises(RunError, match=r"'keep\.json'"):
        open_seal(plain.name)


@given(st.data())
def test_every_edited_byte_of_a_seal_is_refused(trained: dict[str, Path], data: Any) -> None:
    content = (trained["kept"] / SEAL_NAME).read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    with pytest.raises(ValueError):  # noqa: PT011  json's, pydantic's or ours
        parse_seal(content[:at] + bytes([other]) + content[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"format": "qwen_ui seal 1"}', "[" * 9999]
)
def test_what_is_no_seal_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError, match="is not a seal"):
        open_seal(str(tmp_path / "x.json"))
    with pytest.raises(RunError, match="There is no run"):
        open_seal(str(tmp_path / "gone.json"))


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(gain=numbers, error=st.none() | numbers, seed=st.integers(0), text=st.text())
def test_a_seal_reads_back(
    trained: dict[str, Path], gain: float, error: float | None, seed: int, text: str
) -> None:
    found = sealed(trained["kept"])
    held_out = found.held_out.model_copy(update={"gain": gain, "gain_error": error})
    changes = {"held_out": held_out, "seed": seed, "command": text, "plan": {text: [gain]}}
    other = closed(found.model_copy(update=changes))
    assert parse_seal(seal_text(other).encode()) == other


def test_figures_edited_with_their_digest_are_caught_where_the_run_is(
    run: Path, tmp_path: Path
) -> None:
    seal = sealed(run)
    better = seal.held_out.model_copy(update={"gain": seal.held_out.gain + 1})
    file = tmp_path / "better.json"
    write_seal(file, closed(seal.model_copy(update={"held_out": better})))
    with pytest.raises(RunError, match="another 'held_out'"):
        open_seal(str(file))
    shutil.rmtree(run)
    assert not open_seal(str(file)).here


def test_samples_that_contradict_the_events_are_not_sealed(run: Path) -> None:
    (run / SEAL_NAME).unlink()
    record = json.loads((run / "held_out.json").read_text())
    record["after"][0] -= 1
    (run / "held_out.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="contradict each other about eval_loss_after"):
        open_seal(run.name)


def test_a_run_that_is_not_completed_is_not_sealed(tiny: Path, sentences: Path) -> None:
    spec = spec_for(tiny, sentences)
    folder = create_run(spec.to_dict(), spec.plan)
    with RunWriter(folder) as writer:
        writer.status("stopped")
    with pytest.raises(RunError, match="is not completed"):
        open_seal(folder.name)


def with_figures(
    seal: Seal,
    gain: tuple[float, float | None],
    forgetting: tuple[float, float | None],
    samples: int = 11,
) -> Seal:
    """With these figures and their standard errors."""
    assert seal.keep is not None
    learned = {"gain": gain[0], "gain_error": gain[1], "samples": samples}
    kept = {"forgetting": forgetting[0], "forgetting_error": forgetting[1], "samples": samples}
    held_out, keep = seal.held_out.model_copy(update=learned), seal.keep.model_copy(update=kept)
    return closed(seal.model_copy(update={"held_out": held_out, "keep": keep}))


@pytest.mark.parametrize(
    ("gain", "forgetting", "ends"),
    [
        # Ten degrees of freedom: 2.228 standard errors of 0.01 to each side.
        (0.223, 0.077, ()),
        (0.222, 0.077, ("lower end",)),
        (0.223, 0.078, ("upper end",)),
        (0.1, 0.2, ("lower end", "upper end")),
    ],
)
def test_limits_hold_at_the_worse_end_of_the_interval(
    trained: dict[str, Path], gain: float, forgetting: float, ends: tuple[str, ...]
) -> None:
    seal = with_figures(sealed(trained["kept"]), (gain, 0.01), (forgetting, 0.01))
    record = ship(Opened(seal), Limits(max_forgetting=0.1, min_gain=0.2))
    assert record["passed"] is (not ends)
    assert len(record["reasons"]) == len(ends)
    assert all(end in said for end, said in zip(ends, record["reasons"], strict=True))
    assert ship(Opened(seal), Limits())["passed"]


def test_one_sample_holds_no_limit(trained: dict[str, Path]) -> None:
    seal = with_figures(sealed(trained["kept"]), (9.0, None), (0.0, None), samples=1)
    record = ship(Opened(seal), Limits(min_gain=0.1))
    assert not record["passed"]
    assert "one held-out sample is not known" in record["reasons"][0]
    assert record["gain_interval"] is None
    json.dumps(record, allow_nan=False)


def test_a_limit_that_cannot_be_asked_is_a_mistake(trained: dict[str, Path]) -> None:
    plain = sealed(trained["plain"])
    assert plain.keep is None
    with pytest.raises(SettingsError, match="had no text to keep"):
        ship(Opened(plain), Limits(max_forgetting=0.1))
    for value in (math.nan, math.inf):
        with pytest.raises(SettingsError, match="--min-gain"):
            Limits(min_gain=value)


def test_a_replay_has_the_same_bits_and_another_one_says_what_differs(
    run: Path, forked_workers: None
) -> None:
    seal = sealed(run)
    again = replay(seal)
    assert again.differs == ()
    here = runs_folder() / again.run
    assert tensor_digest(here / DELTA_NAME) == tensor_digest(run / DELTA_NAME)
    for name in ("held_out.json", "keep.json"):
        assert (here / name).read_bytes() == (run / name).read_bytes()
    packages = {**seal.environment["packages"], "torch": "1.0"}
    other = seal.model_copy(
        update={
            "learning_rate": seal.learning_rate * 2,
            "environment": {**seal.environment, "packages": packages},
        }
    )
    found = replay(other)
    assert found.differs[:4] == (
        "the training losses", "the losses of the held-out samples",
        "the losses of the kept samples", "the trained tensors",
    )  # fmt: skip
    assert any(said.startswith("torch was 1.0 and is") for said in found.differs)
    record = ship(Opened(seal), Limits(), found)
    assert not record["passed"]
    assert len(record["reasons"]) == len(found.differs)


@pytest.mark.parametrize(
    "changes",
    [{"settings": {}}, {"settings": {"optimization": 3}}, {"learning_rate": -1.0}],
)
def test_settings_that_are_none_are_not_replayed(
    trained: dict[str, Path], changes: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError):
        replay_spec(sealed(trained["plain"]).model_copy(update=changes))


def test_adapters_are_replayed_too_and_have_no_price(
    trained: dict[str, Path], forked_workers: None
) -> None:
    seal = sealed(copied(trained["lora"]))
    assert seal.price_told is None
    assert replay(seal).same


def test_a_run_without_a_seal_gets_one_and_says_so(run: Path) -> None:
    assert not open_seal(run.name).new
    (run / SEAL_NAME).unlink()
    assert open_seal(run.name).new
    assert not open_seal(run.name).new


def test_a_run_of_a_gpu_is_not_replayed(trained: dict[str, Path]) -> None:
    seal = sealed(trained["plain"])
    on_gpu = seal.machine.model_copy(update={"device": "cuda", "device_name": "NVIDIA H100"})
    with pytest.raises(RunError, match="NVIDIA H100"):
        replay(seal.model_copy(update={"machine": on_gpu}))


def test_the_noise_floor_is_twice_the_standard_error_of_alike_samples() -> None:
    import random  # noqa: PLC0415

    draws = random.Random(1)
    tokens = [64] * 400
    sums = [64 * (3 + draws.gauss(0, 0.5)) for _ in tokens]
    floor = noise_floor(sums, tokens)
    assert floor == noise_floor(sums, tokens)
    assert floor == pytest.approx(2 * standard_error(sums, tokens), rel=0.15)
    assert noise_floor([3.0 * n for n in (1, 5, 9, 2)], [1, 5, 9, 2]) == pytest.approx(0, abs=1e-12)
    assert noise_floor([3.0], [1]) is None
