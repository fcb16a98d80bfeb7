"""A run that is prepared here and started elsewhere: on several machines, by a person or Slurm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_ui.runs import RunSpec, create_run
from qwen_ui.workers.launch_command import accelerate_config, launch_command, slurm_script


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """What was written.

    Attributes:
        folder: the run's; it has to lie where all machines see it.
        slurm: a script for `sbatch`.
        command: what to type on every machine without Slurm.
        accelerate: a configuration for `accelerate launch --config_file`.
    """

    folder: Path
    slurm: str
    command: str
    accelerate: str


def write_for_cluster(spec: RunSpec, *, nodes: int, gpus_per_node: int) -> ClusterFiles:
    """Make a run with the files that start it on a cluster; nothing is started here.

    Raises:
        SettingsError: a number is out of its range.
    """
    spec = spec.changed(processes=nodes * gpus_per_node)
    said = f"Written for {nodes} x {gpus_per_node} processes; nothing was started on this machine."
    folder = create_run(spec.to_dict(), spec.plan, by_hand=said)
    device = "cpu" if spec.resources.device == "cpu" else "cuda"
    head = "# On every machine, with HEAD_NODE set to the name of the first one.\n"
    launch = launch_command(spec, folder, nodes=nodes, device=device)
    written = ClusterFiles(
        folder,
        slurm_script(spec, folder, nodes=nodes),
        f"{head}{launch.line}\n",
        accelerate_config(spec, nodes=nodes, device=device),
    )
    files = {"job.slurm": written.slurm, "launch.sh": written.command}
    for name, text in {**files, "accelerate.yaml": written.accelerate}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return written
