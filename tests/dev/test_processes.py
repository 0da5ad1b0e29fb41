"""Nothing that these programs have started outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev.environment import ROOT
from dev.processes import Process, Processes, ProgramDied, free_ports, wait_until
from dev.sessions import Session

# A program like Airflow's: it has a child in a process group of its own, and is slow to end.
PROGRAM = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
time.sleep(600)
"""
PARENT = f"""
import os, sys, time
from pathlib import Path
from dev.processes import Process, Processes
with Processes() as processes:
    process = processes.start(Process("It", [sys.executable, "-c", {PROGRAM!r}], Path(sys.argv[1]), os.environ))
    print(process.pid, flush=True)
    time.sleep(600)
"""


def members(leader: int) -> list[int]:
    return Session.of(leader).members() if psutil.pid_exists(leader) else []


def gone(leader: int) -> bool:
    return not [pid for pid in psutil.pids() if in_session(pid, leader)]


def in_session(pid: int, leader: int) -> bool:
    try:
        return os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def test_all_of_it_ends_with_the_block(tmp_path: Path) -> None:
    with Processes() as processes:
        process = processes.start(Process("It", [sys.executable, "-c", PROGRAM], tmp_path / "log", os.environ))
        wait_until(lambda: len(members(process.pid)) == 2, "The child", 60)
    assert gone(process.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_all_of_it_ends_with_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        leader = int(parent.stdout.readline())
        wait_until(lambda: len(members(leader)) == 2, "The child", 60)
        parent.send_signal(number)
    wait_until(lambda: gone(leader), "The end", 60)


def test_a_program_can_be_started_anew(tmp_path: Path) -> None:
    with Processes() as processes:
        process = processes.start(Process("It", [sys.executable, "-c", PROGRAM], tmp_path / "log", os.environ))
        first = process.pid
        process.kill()
        assert not process.alive
        assert gone(first)
        processes.start(process)
        assert process.alive
        assert processes.running == [process]


def test_a_program_that_ends_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    with Processes() as processes:
        process = processes.start(Process("It", ["sh", "-c", "echo last words"], tmp_path / "log", os.environ))
        with pytest.raises(ProgramDied, match="last words"):
            wait_until(lambda: False, "Nothing", 10, [process])


def test_a_wait_ends(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="Godot took longer than 1 seconds"):
        wait_until(lambda: False, "Godot", 1)


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
