"""A real Slurm on this machine: an authentication service, a controller and two nodes, as children of this process.

By hand, until ^C: ``python tests/slurm/cluster.py DIR``; then, in another shell, ``export SLURM_CONF=DIR/slurm.conf``.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
#: As on a cluster, where services are in nobody's search path.
SEARCH_PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
NODES = ("n1", "n2")
#: More than there are: ranks mostly wait.
CPUS = 16

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
# Look for something to start at once and often.
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobRequeue=1
KillWait=5
{nodes}
PartitionName=tests Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class ClusterError(Exception):
    """Slurm did not come up."""


def missing() -> str:
    """Say what a cluster needs and this machine lacks; nothing where it lacks nothing."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=SEARCH_PATH) is None]
    if absent:
        return f"needs Slurm ({', '.join(absent)}): apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "needs root, to start Slurm"


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """Run a cluster, and give the path of its configuration, which `SLURM_CONF` is to name.

    Ports are free ones and all files lie in the folder, so that several clusters can run at once. Nothing is left of
    it in the end, its jobs included.

    Raises
    ------
    ClusterError
        With the logs.
    """
    configuration = _configure(folder)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons.append(_munge(folder))
        _wait_for((folder / "munge.socket").exists, folder)
        daemons.append(_start(configuration, "slurmctld", "-D", "-c"))
        daemons.extend(_start(configuration, "slurmd", "-D", "-c", "-N", node) for node in NODES)
        _wait_for(lambda: _states(configuration) == ["idle"] * len(NODES), folder)
        yield configuration
    finally:
        _end(configuration, daemons)


def _configure(folder: Path) -> Path:
    """Write all that the daemons read."""
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(256))
    key.chmod(0o400)
    # It must be there, but no control group is used: tests may not have any.
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    controller_port, *ports = _free_ports(1 + len(NODES))
    host = platform.node().partition(".")[0]
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} RealMemory=1000"
        for name, port in zip(NODES, ports, strict=True)
    )
    path = folder / "slurm.conf"
    path.write_text(CONFIGURATION.format(folder=folder, host=host, controller_port=controller_port, nodes=nodes))
    for name in NODES:
        (folder / f"spool.{name}").mkdir()
    return path


def _free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _munge(folder: Path) -> subprocess.Popen[bytes]:
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
    options = [f"--{option}={folder / f'munge.{suffix}'}" for option, suffix in files.items()]
    return _start(folder / "slurm.conf", "munged", "--foreground", "--force", *options)


def _start(configuration: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a daemon in the foreground, in a session of its own, so that ^C reaches the tests alone.

    It ends with this process, even where that is killed.
    """
    path = shutil.which(program, path=SEARCH_PATH)
    with (configuration.parent / f"{program}.output").open("ab") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", str(path), *arguments],
            env=_environment(configuration),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _environment(configuration: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "SRUN"))}
    return {**inherited, "PATH": SEARCH_PATH, "SLURM_CONF": str(configuration)}


def _states(configuration: Path) -> list[str]:
    answer = subprocess.run(
        ["sinfo", "--noheader", "--Node", "--format=%T"],
        env=_environment(configuration),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return answer.stdout.split()


def _wait_for(condition: Callable[[], bool], folder: Path, timeout: float = 30.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            logs = [f"{path.name}:\n{path.read_text(errors='replace')}" for path in sorted(folder.glob("*.log"))]
            raise ClusterError("\n".join(["Slurm did not come up", *logs]))
        time.sleep(0.05)


def _end(configuration: Path, daemons: list[subprocess.Popen[bytes]]) -> None:
    """End the daemons and whatever they have started: it has the path of this configuration in its environment."""
    for daemon in reversed(daemons):
        daemon.terminate()
    mark = f"SLURM_CONF={configuration}\0".encode()
    while processes := [pid for pid, environ in _environments() if mark in environ]:
        for pid in processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for daemon in daemons:
            daemon.wait()


def _environments() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:
            continue


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    place.mkdir(parents=True)
    with cluster(place) as conf:
        sys.stdout.write(f"export SLURM_CONF={conf}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        signal.pause()
