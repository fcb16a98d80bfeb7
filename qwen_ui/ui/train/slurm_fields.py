"""Where a run is launched, on machines with Slurm: here, or as a job with these fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from qwen_ui.errors import SettingsError
from qwen_ui.ui.page import Session
from qwen_ui.workers import SlurmRequest, has_slurm, partitions

HERE, SLURM = "This machine", "Slurm"
DEFAULT_PARTITION = "the default"
DEFAULT_HOURS = 4


@dataclass(frozen=True, slots=True)
class SlurmFields:
    """The fields; all are hidden where there is no Slurm.

    Attributes:
        where: this machine or Slurm.
        asked: holds the other fields, in sight where it is Slurm.
        partition, gpus, cores, hours: what is asked of it.
    """

    where: gr.Radio
    asked: gr.Column
    partition: gr.Dropdown
    gpus: gr.Number
    cores: gr.Number
    hours: gr.Number

    def components(self) -> list[Any]:
        """Those that `request_of` takes, in its order."""
        return [self.where, self.partition, self.gpus, self.cores, self.hours]


def build_slurm_fields(session: Session) -> SlurmFields:
    """The fields, with a job of one GPU."""
    here = has_slurm() and session.limits is None
    where = gr.Radio([HERE, SLURM], value=HERE, label="Launch on", visible=here, elem_id="qt-where")
    with gr.Column(visible=False, elem_id="qt-slurm") as asked:
        partition = gr.Dropdown(
            [DEFAULT_PARTITION],
            value=DEFAULT_PARTITION,
            label="Partition",
            allow_custom_value=True,
        )
        with gr.Row():
            gpus = gr.Number(1, label="GPUs", precision=0, minimum=0, min_width=70)
            cores = gr.Number(
                0, label="CPU cores (0: default)", precision=0, minimum=0, min_width=70
            )
            hours = gr.Number(DEFAULT_HOURS, label="Hours at most", minimum=0, min_width=70)
    return SlurmFields(where, asked, partition, gpus, cores, hours)


def request_of(
    where: str, partition: str, gpus: float | None, cores: float | None, hours: float | None
) -> SlurmRequest | None:
    """What is asked of Slurm; None where the run is launched on this machine.

    Raises:
        SettingsError: a field is empty or out of its range.
    """
    if where != SLURM:
        return None
    if gpus is None or hours is None:
        raise SettingsError("A field of the Slurm job is empty. Give it a number.")
    named = "" if partition == DEFAULT_PARTITION else str(partition).strip()
    return SlurmRequest(named, int(gpus), int(cores or 0), round(hours * 60))


def shown_fields(where: str) -> tuple[Any, Any]:
    """(column, partitions) after the choice was made."""
    if where != SLURM:
        return gr.Column(visible=False), gr.skip()
    # The default one is the first; it is chosen without being named.
    return gr.Column(visible=True), gr.Dropdown([DEFAULT_PARTITION, *partitions()])
