"""What a model prints is counted, shown, kept and left out, whoever prints it."""

from __future__ import annotations

import re
import subprocess
import sys
import time

PROGRAM = """
import ctypes, os, subprocess, sys, time
from hpcscan.errors import voice
from hpcscan.guard import printed as output
output.MOST_SHOWN, output.MOST_KEPT = 3000, 5000
output.count_output("rank 7")
output.keep_in(os.path.abspath("out.log"))
voice.say("begun\\n")
{body}
output.end_counting()
voice.say("ended\\n")
print("after")
"""


def run(body, folder):
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=folder, check=True)


def test_little_is_shown_as_it_is(tmp_path):
    """On the stream to which it goes, in order, by whatever writes there."""
    job = run('c = ctypes.CDLL(None); print("a"); os.write(2, b"b\\n"); c.puts(b"c"); c.fflush(None)', tmp_path)
    assert sorted(job.stdout.split()) == ["a", "after", "c"]
    assert sorted(job.stderr.split()) == ["b", "begun", "ended"]
    assert not (tmp_path / "out.log").exists()


def test_more_goes_to_the_log_and_much_more_nowhere(tmp_path):
    """To the byte, with one note each; what the program says itself does not count and is not left out."""
    job = run('print(("x" * 99 + "\\n") * 100, end="", flush=True); print("y" * 10**6)', tmp_path)
    log = (tmp_path / "out.log").read_text()
    assert job.stdout == ("x" * 99 + "\n") * 30 + "after\n"
    assert re.findall(".*bytes.*", job.stderr) == [
        "rank 7: the model has printed 3,000 bytes; what follows goes to out.log"
    ]
    assert job.stderr.startswith("begun\n")
    assert job.stderr.endswith("ended\n")
    assert log.endswith("\nrank 7: the model has printed 8,000 bytes; what follows is left out\n")
    assert len(log.rpartition("\nrank 7")[0]) == 5000


def test_a_library_that_keeps_the_lock_while_it_prints_does_not_hang(tmp_path):
    """More than a pipe holds, in one call during which no thread of Python's runs."""
    job = run('c = ctypes.PyDLL(None); c.puts(b"z" * 300_000); c.fflush(None)', tmp_path)
    assert job.stdout.count("z") == 3000


def test_processes_that_are_left_behind_are_not_waited_for(tmp_path):
    """They have the same output, and may print for ever."""
    begin = time.monotonic()
    left = "subprocess.Popen([sys.executable, '-c', 'import time\\nfor _ in range(300): print(1); time.sleep(0.1)'])"
    job = run(f"{left}; print('done')", tmp_path)
    assert "done\n" in job.stdout
    assert time.monotonic() - begin < 20


def test_a_model_that_waits_for_all_its_children_waits_for_its_own_alone(tmp_path):
    body = "\n".join(
        ("try:", "    while True: os.wait()", "except ChildProcessError:", "    print('none', flush=True)")
    )
    assert run(body, tmp_path).stdout == "none\nafter\n"


def test_the_end_of_the_process_loses_nothing(tmp_path):
    """Also where it is killed."""
    command = [sys.executable, "-c", PROGRAM.format(body='print("last", flush=True); os.kill(os.getpid(), 9)')]
    job = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False)
    assert (job.returncode, job.stdout, job.stderr) == (-9, "last\n", "begun\n")
