"""The command `ship`: whether a finished run is what was sealed, and keeps its limits."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from qwen_ui import compare
from qwen_ui.cli.shared import AsJson, app, say
from qwen_ui.errors import SettingsError
from qwen_ui.formats import short_bytes, short_flops


@app.command()
def ship(
    sealed: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE", help="Name of a completed run, or a file that --seal wrote."
        ),
    ],
    max_forgetting: Annotated[
        float | None,
        typer.Option(
            help="Most nats per token by which the loss of the text to keep may rise: the upper "
            "end of the 95 % interval has to lie below."
        ),
    ] = None,
    min_gain: Annotated[
        float | None,
        typer.Option(
            help="Fewest nats per token by which the evaluation loss has to fall: the lower end of "
            "the 95 % interval has to lie above."
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Train it again on the CPU; every bit has to be the same."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify a run against its seal and limits: exit code 0 where all hold, 3 where not."""
    limits = compare.Limits(max_forgetting, min_gain)
    opened = compare.open_seal(sealed)
    record = compare.ship(opened, limits)  # first: a mistake costs no training
    if replay:
        record = compare.ship(opened, limits, _replayed(opened.seal))
    say(record, as_json, ship_text(record))
    if not record["passed"]:
        sys.exit(3)


def _replayed(seal: object) -> compare.Replay:
    if not isinstance(seal, compare.Seal):
        raise SettingsError("A comparison is not replayed as a whole: name one of its runs.")
    steps = compare.replay_spec(seal).optimization.steps
    with typer.progressbar(length=steps, label=f"replay of {seal.run}", file=sys.stderr) as bar:
        return compare.replay(
            seal, lambda event: bar.update(1) if event["event"] == "step" else None
        )


def ship_text(record: dict[str, Any]) -> str:
    """The figures, and whether it may be shipped."""
    lines = [record["verdict"]] if "verdict" in record else []
    for run in record.get("runs", [record]):
        lines.append(f"{run['run']}: gain {_with_ends(run['gain'], run['gain_interval'])}")
        if run["noise_floor"] is not None:
            lines.append(f"noise floor of the held-out text: {run['noise_floor']:.4f}")
        if run["forgetting"] is not None:
            told = _with_ends(run["forgetting"], run["forgetting_interval"])
            lines.append(
                f"forgets {told}; KL(base || tuned) {_with_ends(run['kl'], run['kl_interval'])}"
            )
        lines.append(_price(run))
    if not record["held_against_folder"]:
        lines.append("Not every sealed run is on this machine: the seal alone was verified.")
    if record["sealed_now"]:
        lines.append("The run had no seal and has one from now on: earlier changes are unseen.")
    if record["replay"] is not None and record["replay"]["same"]:
        lines.append(f"The replay {record['replay']['run']} is the same, bit by bit.")
    lines += [f"Not to be shipped: {reason}" for reason in record["reasons"]]
    lines += ["Sealed, and every limit holds."] if record["passed"] else []
    return "\n".join(lines)


def _price(run: dict[str, Any]) -> str:
    told, taken = run["price_told"], run["price_taken"]
    seconds = taken["seconds_per_step"]
    took = f"taken {short_bytes(taken['peak_bytes'])}"
    took += "" if seconds is None else f", {seconds:.3f} s per step"
    if told is None:
        return f"price {took}; none was told"
    flops = short_flops(told["flops_step"])
    return f"price told {short_bytes(told['peak_bytes'])}, {flops} per step; {took}"


def _with_ends(value: float, ends: list[float] | None) -> str:
    return f"{value:.4f}" + (f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else "")
