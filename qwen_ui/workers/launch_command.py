"""How a run starts on several processes or nodes: the command, accelerate's file, a Slurm script.

`accelerate launch --cpu --num_processes 2` quietly runs one process, so on CPUs the command is
torchrun's; the worker refuses to begin where another number runs than was asked for.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from qwen_ui.errors import SettingsError
from qwen_ui.runs import LOG_NAME, RunSpec
from qwen_ui.workers import processes
from qwen_ui.workers.devices import cores

PORT = 29_500


@dataclass(frozen=True, slots=True)
class Launch:
    """A command and what its environment needs beyond this process's own."""

    command: tuple[str, ...]
    environment: dict[str, str]

    @property
    def line(self) -> str:
        """As a person types it."""
        named = [f"{key}={shlex.quote(value)}" for key, value in self.environment.items()]
        return " ".join([*named, *map(_quoted, self.command)])


def launch_command(spec: RunSpec, folder: Path, *, nodes: int = 1, device: str = "cpu") -> Launch:
    """The command that starts this run's worker on `nodes` machines.

    Args:
        spec: `processes` counts those of all nodes together.
        folder: of the run; on several nodes a path that all of them see.
        nodes: machines.
        device: what the processes compute on: cpu, cuda or mps.

    Raises:
        SettingsError: the processes cannot be divided evenly.
    """
    worker, resources = ("-m", processes.WORKER, str(folder)), spec.resources
    if resources.processes == 1 and nodes == 1:
        return Launch((sys.executable, *worker), {})
    each = _per_node(spec, nodes)
    environment: dict[str, str] = {}
    if device == "cpu":
        # Without it accelerate sees one process; and torchrun would leave each a single thread.
        threads = resources.threads or max(1, cores() // each)
        environment = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": str(threads)}
    where = (
        ("--standalone",)
        if nodes == 1
        else (
            "--nnodes",
            str(nodes),
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            f"$HEAD_NODE:{PORT}",
        )
    )
    run = (sys.executable, "-m", "torch.distributed.run", *where, "--nproc-per-node", str(each))
    return Launch((*run, *worker), environment)


def accelerate_config(spec: RunSpec, *, nodes: int = 1, device: str = "cpu") -> str:
    """A configuration file for `accelerate launch --config_file`, as YAML."""
    resources = spec.resources
    kind = "NO" if resources.processes == 1 else {"cuda": "MULTI_GPU", "cpu": "MULTI_CPU"}[device]
    values: dict[str, object] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if resources.sharded else kind,
        "mixed_precision": resources.mixed_precision,
        "num_machines": nodes,
        "num_processes": resources.processes,
        "machine_rank": 0,
        "main_process_port": PORT,
        "use_cpu": device == "cpu",
    }
    lines = [f"{key}: {_yaml(value)}" for key, value in values.items()]
    if resources.sharded:
        lines += ["fsdp_config:", *(f"  {key}: {_yaml(value)}" for key, value in FSDP.items())]
    return "\n".join(lines) + "\n"


FSDP: dict[str, object] = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_reshard_after_forward": True,
    "fsdp_state_dict_type": "FULL_STATE_DICT",
    "fsdp_cpu_ram_efficient_loading": False,
}


def slurm_script(spec: RunSpec, folder: Path, *, nodes: int, hours: int = 4) -> str:
    """A batch script for `sbatch`: one torchrun a node, meeting at the first one.

    It leaves its output where the page shows it. On the CPU no GPU is asked for.
    """
    each, device = _per_node(spec, nodes), spec.resources.device
    launch = launch_command(spec, folder, nodes=nodes, device="cpu" if device == "cpu" else "cuda")
    log = str(folder / LOG_NAME).replace("%", "%%")
    gpus = [] if device == "cpu" else [f"#SBATCH --gpus-per-node={each}"]
    return "\n".join(
        [
            "#!/bin/bash",
            f"#SBATCH --job-name=qwen-ui-{folder.name[:40]}",
            f"#SBATCH --nodes={nodes}",
            "#SBATCH --ntasks-per-node=1",
            *gpus,
            f"#SBATCH --time={hours:02d}:00:00",
            "#SBATCH --open-mode=append",
            f"#SBATCH --output={shlex.quote(log)}",
            "set -euo pipefail",
            'export HEAD_NODE=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            # Slurm starts programs; variables before one are a shell's.
            f"srun {'env ' if launch.environment else ''}{launch.line}",
            "",
        ]
    )


def _per_node(spec: RunSpec, nodes: int) -> int:
    processes = spec.resources.processes
    if nodes < 1 or processes % nodes:
        raise SettingsError(
            f"{processes} processes cannot be divided over {nodes} nodes. Choose a multiple of the "
            "nodes."
        )
    return processes // nodes


def _quoted(word: str) -> str:
    """For a shell; the one variable that we name is left for it to fill in."""
    return shlex.quote(word) if not word.startswith("$HEAD_NODE:") else f'"{word}"'


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # A bare `no` is false in YAML.
    return f"'{value}'" if value == "no" else str(value)
