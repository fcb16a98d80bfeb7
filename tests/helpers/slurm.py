"""A real Slurm of a test's own: on loopback, in a folder, without systemd, ended by process id.

Each node has a process table and a host name of its own where this machine lets us make them
(`unshare`): what looks for a job's process in this machine's table is found out by that.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.helpers.waiting import until

NEEDED = ("sbatch", "slurmctld", "slurmd", "munged", "unshare")
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={run}/munge.socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
PlugStackConfig={root}/plugstack.conf
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,batch_sched_delay=0,sched_interval=2,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=5
KillWait=5
CompleteWait=0
MinJobAge=300
MessageTimeout=5
TCPTimeout=2
GresTypes=gpu
{nodes}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime={grace} \
MaxTime=INFINITE State=UP
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What this machine lacks for a Slurm of our own; "" where it lacks nothing."""
    if lacking := [name for name in NEEDED if shutil.which(name) is None]:
        return f"not installed: {', '.join(lacking)} (Debian: slurm-wlm munge)"
    command = ("unshare", "--pid", "--uts", "--mount", "--fork", "--mount-proc", "true")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return "no namespaces can be made here"
    return ""


class Cluster:
    """A controller and its nodes, of one processor and one GPU each (a stand-in, /dev/null).

    Args:
        root: a folder of its own, which is made.
        nodes: their names.
        grace: seconds that a preempted job has to end by itself.
    """

    def __init__(self, root: Path, nodes: tuple[str, ...] = ("n1",), grace: int = 0) -> None:
        self.root, self.nodes = root, nodes
        (root / "state").mkdir(parents=True)
        # The path of a socket has room for 107 characters.
        self._run = Path(tempfile.mkdtemp(prefix="sl-", dir="/tmp"))
        self._run.chmod(0o755)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.configuration = root / "slurm.conf"
        self.environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        self._write(grace)

    def _write(self, grace: int) -> None:
        port, *ports = _free_ports(1 + len(self.nodes))
        lines = [
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={own} CPUs=1 "
            "RealMemory=1000 Gres=gpu:1 State=UNKNOWN"
            for name, own in zip(self.nodes, ports, strict=True)
        ]
        user = pwd.getpwuid(os.getuid()).pw_name
        filled = CONFIGURATION.format(
            root=self.root,
            run=self._run,
            port=port,
            user=user,
            grace=grace,
            nodes="\n".join(lines),
        )
        self.configuration.write_text(filled)
        (self.root / "plugstack.conf").write_text("")
        (self.root / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        (self.root / "cgroup.conf").write_text("CgroupAutomount=no\n")
        (self.root / "hosts").write_text(f"127.0.0.1 localhost {' '.join(self.nodes)}\n")
        key = self.root / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)

    def start(self) -> Self:
        root, run = self.root, self._run
        files = {"key": root / "munge.key", "socket": run / "munge.socket", "pid": run / "pid"}
        files |= {"log": root / "munged.log", "seed": root / "munged.seed"}
        named = {"key": "key-file", "pid": "pid-file", "log": "log-file", "seed": "seed-file"}
        options = [f"--{named.get(key, key)}={file}" for key, file in files.items()]
        self._begin("munged", "munged", "--foreground", *options)
        until(files["socket"].exists, 10, self._logs)
        self._begin("slurmctld", "slurmctld", "-D", "-f", str(self.configuration))
        for name in self.nodes:
            self.start_node(name)
        until(lambda: self.states() == {"idle"}, 30, self._logs)
        return self

    def start_node(self, name: str) -> None:
        """A node with a process table, a host name and a table of hosts of its own."""
        inner = (
            f"mount --bind {self.root}/hosts /etc/hosts; hostname {name}; "
            f"exec slurmd -D -N {name} -f {self.configuration}"
        )
        apart = ("unshare", "--pid", "--uts", "--mount", "--fork", "--kill-child", "--mount-proc")
        self._begin(name, *apart, "sh", "-c", inner)

    def lose_node(self, name: str) -> None:
        """Let a node go down, and all that runs on it."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(10)

    def states(self) -> set[str]:
        """The states of the nodes."""
        return set(self("sinfo", "--noheader", "--Node", "--format=%T", check=False).split())

    def state(self, job: str) -> str:
        """How a job stands, "" where it is not known."""
        command = ("squeue", "--states=all", "--noheader", f"--jobs={job}", "--format=%T")
        return self(*command, check=False).strip()

    def __call__(self, *command: str, check: bool = True) -> str:
        """What a command of Slurm's prints."""
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=30,
        )
        return done.stdout

    def stop(self) -> None:
        self("scancel", "--full", "--signal=KILL", f"--user={os.getuid()}", check=False)
        self("scancel", f"--user={os.getuid()}", check=False)
        with ExitStack() as ending:
            for name, process in self._processes.items():
                # `unshare` does not hear SIGTERM; its child ends with it.
                process.send_signal(signal.SIGKILL if name in self.nodes else signal.SIGTERM)
                ending.callback(process.wait, 15)
        shutil.rmtree(self._run, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _begin(self, name: str, *command: str) -> None:
        with (self.root / f"{name}.out").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.root,
            )

    def _logs(self) -> str:
        return "\n".join(file.read_text()[-800:] for file in self.root.glob("*.out"))


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
