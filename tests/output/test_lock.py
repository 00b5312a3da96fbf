"""One run on one output, and locks of runs that are dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hpcscan.errors import UsageError
from hpcscan.output import lock as module
from hpcscan.output.lock import STALE, Owner, Process, beginning, locked, read_lock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.nc.lock"


def write(path, owner, age=0.0):
    path.write_text(json.dumps(asdict(owner)))
    moment = path.stat().st_mtime - age
    os.utime(path, (moment, moment))


def elsewhere(**changes):
    """A run on another machine."""
    return replace(Owner.own(), process=Process("node7", "another boot", 4711, "1"), **changes)


def take(path):
    with locked(path):
        return json.loads(path.read_text())


def test_a_lock_names_its_run_and_vanishes(path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    entries = take(path)
    assert entries["process"]["pid"] == os.getpid()
    assert entries["job"] == "123"
    assert list(path.parent.iterdir()) == []


def test_the_second_run_is_told_who_the_first_is(path):
    """Also within one process: its lock is not stale."""
    with locked(path), pytest.raises(UsageError) as caught, locked(path):
        pass
    assert str(caught.value).startswith(
        f"output {path.parent}/scan.nc: another run is writing it, process {os.getpid()} on "
    )
    assert "let it finish, or choose another output" in str(caught.value)
    assert read_lock(path) is None


def test_a_run_on_another_machine_is_believed_while_its_lock_is_fresh(path):
    write(path, elsewhere(job="99"), age=100)
    with pytest.raises(
        UsageError, match=r"process 4711 on node7, Slurm job 99, since .*last heard of 10\d s ago.*remove"
    ):
        take(path)
    assert read_lock(path).owner == elsewhere(job="99") or path.exists()


def test_a_run_on_another_machine_is_dead_when_its_lock_is_old(path):
    write(path, elsewhere(), age=STALE + 10)
    assert take(path)["process"]["pid"] == os.getpid()


def test_a_lock_is_kept_fresh(path, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    with locked(path):
        os.utime(path, (0, 0))
        for _ in range(500):
            if path.stat().st_mtime > 0:
                break
            subprocess.run(["sleep", "0.01"], check=True)
        assert path.stat().st_mtime > 0


def test_an_earlier_start_of_this_job_is_dead(path, monkeypatch):
    """It was requeued: nothing of it runs any more, whatever the age of its lock."""
    monkeypatch.setenv("SLURM_JOB_ID", "99")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    write(path, elsewhere(job="99", restart=""))
    assert take(path)["restart"] == "1"
    write(path, elsewhere(job="99", restart="1"))
    with pytest.raises(UsageError, match="another run is writing it"):
        take(path)


def test_a_process_that_is_gone(path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = replace(Owner.own(), process=replace(Process.own(), pid=process.pid, begun=beginning(process.pid)))
        assert owner.process.is_alive()
        write(path, owner)
        with pytest.raises(UsageError, match=f"process {process.pid} on"):
            take(path)
        process.kill()
        # Dead, but not yet buried: a zombie.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not owner.process.is_alive()
        process.wait()
    assert not owner.process.is_alive()
    assert take(path)["process"]["pid"] == os.getpid()


def test_another_process_with_the_same_number(path):
    """Numbers come again; the moment of its beginning does not."""
    write(path, replace(Owner.own(), process=replace(Process.own(), begun="1")))
    assert take(path)["process"]["begun"] != "1"


def forged(**process) -> str:
    """A lock as it is written, but for the name of its process."""
    entries = asdict(Owner.own())
    return json.dumps({**entries, "process": {**entries["process"], **process}})


NOBODY = [forged(pid=pid) for pid in ("1", 1.5, None, [1], True, -1, 2**70)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"process": 3}', '{"process": {"pid": 1}}', "\x00\xff", "[" * 100_000, *NOBODY, forged(host=1)],
)
def test_a_lock_that_says_nothing(path, text):
    """Its run is about to write it, or died while it did."""
    path.write_text(text)
    with pytest.raises(UsageError, match="another run is just beginning there"):
        take(path)
    os.utime(path, (0, 0))
    assert take(path)["process"]["pid"] == os.getpid()


def test_a_faster_run_is_not_robbed(path, monkeypatch):
    """Two runs find the same stale lock; the first one's new lock survives what the second one does."""
    write(path, elsewhere(), age=STALE + 10)
    stale = read_lock(path)
    write(path, elsewhere(job="5"))
    monkeypatch.setattr(module, "read_lock", lambda path: stale)
    with pytest.raises(UsageError):
        take(path)
    assert json.loads(path.read_text())["job"] == "5"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_only_ones_own_lock_is_removed(path):
    """Somebody removed it by hand, and another run began."""
    with locked(path):
        write(path, elsewhere())
    assert path.exists()


def test_a_place_that_cannot_be_written():
    with pytest.raises(UsageError, match=r"cannot write /proc/scan.nc.lock: .*; choose another output"):
        take(Path("/proc/scan.nc.lock"))


def test_a_machine_that_tells_nothing(path, monkeypatch):
    """Without /proc the number of the process alone has to do."""
    monkeypatch.setattr("hpcscan.output.lock.machine", lambda: "host")
    monkeypatch.setattr("hpcscan.output.lock.beginning", lambda pid: "")
    with locked(path), pytest.raises(UsageError, match="another run is writing it"):
        take(path)


def pipe(path):
    os.mkfifo(path)


def link(path):
    path.symlink_to(path.with_name("mine"))
    path.with_name("mine").write_text(json.dumps(asdict(Owner.own())))


@pytest.mark.parametrize(
    ("make", "kind"), [(Path.mkdir, "a directory"), (pipe, "a named pipe"), (link, "a symbolic link")]
)
def test_what_is_no_lock_is_called_by_its_name(path, make, kind):
    """No run has made it, and none is waited for; it stays, and so does what it leads to."""
    make(path)
    before = sorted(path.parent.iterdir())
    with pytest.raises(UsageError, match=rf"scan.nc.lock is {kind}, and a run keeps its lock there.*; remove it, or"):
        take(path)
    assert read_lock(path) is None
    assert sorted(path.parent.iterdir()) == before
