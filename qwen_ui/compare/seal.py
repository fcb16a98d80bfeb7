"""The seal: what a run was, gave and cost, as one file whose every byte is accounted for.

A seal is canonical JSON (sorted keys, ASCII) with a SHA-256 over all of it. That shows accidents
and edits. It is no signature: who can rewrite the file can write another digest, and is caught only
where the run's folder is at hand. Pure: nothing here reads a run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from qwen_ui.errors import RunError
from qwen_ui.files import MOST_BYTES, parse_json, replace_text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Evaluated(_Part):
    """Mean losses of a text before and after training (nats per token).

    Attributes:
        samples, tokens: of the text; tokens that carry loss.
        before_error, after_error: standard errors over samples; None for one sample.
        noise_floor: see `noise_floor`; None for one sample.
    """

    samples: int
    tokens: int
    before: float
    before_error: float | None
    after: float
    after_error: float | None
    noise_floor: float | None


class Learned(Evaluated):
    """The held-out text: the gain, each sample compared with itself, and its standard error."""

    gain: float
    gain_error: float | None


class Kept(Evaluated):
    """The text to keep: the rise of its loss, KL(base || tuned), and their standard errors."""

    forgetting: float
    forgetting_error: float | None
    kl: float
    kl_error: float | None


class Told(_Part):
    """The price as it was told: peak bytes of a process, FLOPs of a step."""

    peak_bytes: int
    flops_step: int


class Taken(_Part):
    """The price as it was taken: peak bytes, seconds of a step (median) and of all steps."""

    peak_bytes: int
    seconds_per_step: float | None
    seconds: float


class Machine(_Part):
    """Where a run trained."""

    device: str
    device_name: str
    dtype: str
    processes: int = Field(ge=1)
    threads: int = Field(ge=1)


class Seal(_Part):
    """The seal of one run.

    Attributes:
        command: repeats it, with the plan in a file `plan.json`.
        settings, plan: of the run, as its folder holds them.
        seed: of data order and dropout.
        learning_rate: that was used, wherever it came from.
        base: fingerprint of the weights.
        data: fingerprints of the training, evaluation and kept examples after tokenizing.
        environment: versions and machine, as the run recorded them.
        files: SHA-256 of the run's files by name.
        tensors: SHA-256 of the trained tensors without the delta's metadata.
        losses: SHA-256 of the training losses of all steps.
        keep: None where there was no text to keep.
        price_told: None where it cannot be priced: of LoRA, or where the model is gone.
        sealed_by: version of this program that sealed.
        digest: SHA-256 of all of the above.
    """

    format: Literal["qwen_ui seal 1"] = "qwen_ui seal 1"
    run: str
    command: str
    settings: dict[str, Any]
    plan: dict[str, Any]
    seed: int
    learning_rate: float
    base: str
    data: dict[str, str]
    environment: dict[str, Any]
    machine: Machine
    files: dict[str, str]
    tensors: str
    losses: str
    held_out: Learned
    keep: Kept | None
    price_told: Told | None
    price_taken: Taken
    sealed_by: str
    digest: str = ""


class ComparisonSeal(_Part):
    """The seal of a comparison: its verdict, and a seal for every run.

    Attributes:
        command: as it was typed.
        verdict: the sentence.
        paired: the paired difference, as `compare --json` gives it.
    """

    format: Literal["qwen_ui comparison seal 1"] = "qwen_ui comparison seal 1"
    comparison: str
    command: str
    verdict: str
    paired: dict[str, Any] | None
    runs: list[Seal] = Field(min_length=1)
    digest: str = ""


AnySeal = Seal | ComparisonSeal
AnySealT = TypeVar("AnySealT", Seal, ComparisonSeal)
_READ: TypeAdapter[AnySeal] = TypeAdapter(
    Annotated[Seal | ComparisonSeal, Field(discriminator="format")]
)


def closed(seal: AnySealT) -> AnySealT:
    """The same with its digest."""
    return seal.model_copy(update={"digest": _digest(seal)})


def seal_text(seal: AnySeal) -> str:
    """The one text of a seal."""
    return _canonical(seal.model_dump())


def write_seal(file: Path, seal: AnySeal) -> None:
    """Write a seal; the whole file appears at once.

    Raises:
        RunError: it cannot be written there.
    """
    try:
        replace_text(file, seal_text(seal))
    except OSError as error:
        raise RunError(
            f"'{file}' cannot be written ({error.strerror}). Name a file in a folder that exists."
        ) from error


def read_seal(file: Path) -> AnySeal:
    """A seal that is as it was written, to the byte.

    Raises:
        RunError: it is no seal, or was edited.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise RunError(f"'{file}' is too large for a seal. Give a file that `--seal` wrote.")
        found = file.read_bytes()
    except OSError as error:
        raise RunError(f"'{file}' cannot be read ({error.strerror}).") from error
    try:
        seal = parse_seal(found)
    except ValueError as error:
        raise RunError(
            f"'{file}' is not a seal, or was edited: {_first_line(error)}. Give the file that "
            "`--seal` wrote, unchanged."
        ) from error
    return seal


def parse_seal(text: bytes) -> AnySeal:
    """A seal from its text.

    Raises:
        ValueError: it is not the text of a seal, or not the one that was written.
    """
    seal = _READ.validate_python(parse_json(text))
    for part in (seal, *(seal.runs if isinstance(seal, ComparisonSeal) else ())):
        if part.digest != _digest(part):
            raise ValueError("its digest is not that of its content")
    if seal_text(seal).encode() != text:
        raise ValueError("its text is not the one that was written")
    return seal


def sha256(text: str) -> str:
    """Of this text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(seal: AnySeal) -> str:
    return sha256(_canonical(seal.model_dump(exclude={"digest"})))


def _canonical(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _first_line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error).splitlines()[0].rstrip(".")
