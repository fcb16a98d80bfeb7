"""Train a sealed run again on the CPU, and hold what comes out against the seal, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qwen_ui.compare.seal import Seal
from qwen_ui.compare.sealed_run import measure
from qwen_ui.errors import RunError
from qwen_ui.runs import Event, RunSpec, parse_spec
from qwen_ui.workers import start, wait

_DATA = {
    "training_fingerprint": "the training data",
    "evaluation_fingerprint": "the evaluation data",
    "keep_fingerprint": "the text to keep",
}


@dataclass(frozen=True, slots=True)
class Replay:
    """A run that repeats a sealed one.

    Attributes:
        run: its name.
        differs: what is not the same, a phrase each; empty where every bit is.
    """

    run: str
    differs: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every bit is the same."""
        return not self.differs


def replay(seal: Seal, on_event: Callable[[Event], None] | None = None) -> Replay:
    """Train a sealed run again, in a new run, with the rate and the threads that it had.

    Raises:
        RunError: it trained on a GPU, whose sums are not repeated by a CPU, or it fails this time.
        SettingsError: its settings are none of this version's.
    """
    if seal.machine.device != "cpu":
        raise RunError(
            f"The run '{seal.run}' trained on {seal.machine.device_name}, which adds up in another "
            "order than a CPU. Only a run that trained on a CPU can be replayed."
        )
    run = start(replay_spec(seal))
    ended = wait(run, on_event)
    if ended["status"] != "completed":
        raise RunError(f"The replay '{run}' {ended['status']}. {ended['reason']}")
    return Replay(run, differences(seal, measure(run)))


def replay_spec(seal: Seal) -> RunSpec:
    """The settings that train a sealed run again.

    Raises:
        SettingsError: they are none of this version's.
    """
    # The rate may have come from another run, which need not be here.
    return parse_spec({**seal.settings, "plan": seal.plan}).changed(
        device="cpu",
        threads=seal.machine.threads,
        learning_rate=seal.learning_rate,
        learning_rate_run=None,
        trackers=(),
    )


def differences(sealed: Seal, again: Seal) -> tuple[str, ...]:
    """What of a run came out otherwise, in the order in which one follows from another."""
    found = [] if sealed.base == again.base else ["the weights of the base"]
    found += [words for key, words in _DATA.items() if sealed.data.get(key) != again.data.get(key)]
    if sealed.losses != again.losses:
        found.append("the training losses")
    for name, words in (("held_out.json", "held-out"), ("keep.json", "kept")):
        if sealed.files.get(name) != again.files.get(name):
            found.append(f"the losses of the {words} samples")
    if sealed.tensors != again.tensors:
        found.append("the trained tensors")
    return tuple(found + _other_versions(sealed, again)) if found else ()


def _other_versions(sealed: Seal, again: Seal) -> list[str]:
    """What explains a difference: packages and machines that are not those of the sealed run."""
    then, now = (seal.environment.get("packages") for seal in (sealed, again))
    found = []
    if isinstance(then, dict) and isinstance(now, dict):
        names = sorted(name for name in {**then, **now} if then.get(name) != now.get(name))
        found = [f"{name} was {then.get(name)} and is {now.get(name)}" for name in names]
    keys = ("python", "platform")
    changed = [key for key in keys if sealed.environment.get(key) != again.environment.get(key)]
    return found + [f"{key} is another" for key in changed]
