"""Programs with everything they have started: what Unix calls a session."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Session:
    """
    A program and its descendants; Airflow gives its tasks process groups of their own, never sessions.

    :param leader: the program's process id.
    :param born: when it started, lest somebody else has its number by now.
    """

    leader: int
    born: float

    @classmethod
    def of(cls, leader: int) -> Session:
        """Describe the session of a program that was started with one of its own."""
        return cls(leader, psutil.Process(leader).create_time())

    @property
    def led(self) -> bool:
        """Whether the program itself is running."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.leader)
            return process.create_time() == self.born and process.status() != psutil.STATUS_ZOMBIE
        return False

    def members(self) -> list[int]:
        """Return the session's processes; as long as there are any, the system gives its number to nobody else."""
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(self.leader).create_time() != self.born:
                return []
        found = []
        for pid in psutil.pids():
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(pid) == self.leader:
                    found.append(pid)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send the program, and nothing it has started, a signal."""
        if self.led:
            with suppress(ProcessLookupError):
                os.kill(self.leader, number)

    def kill(self) -> None:
        """End the program and everything it has started at once."""
        for pid in self.members():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end(sessions: Collection[Session], grace: float = 3) -> None:
    """
    End programs and everything they have started.

    :param sessions: the programs.
    :param grace: seconds they get, all together, to end by themselves.
    """
    for session in sessions:
        session.signal(signal.SIGTERM)
        session.signal(signal.SIGCONT)
    deadline = time.monotonic() + grace
    while any(session.led for session in sessions) and time.monotonic() < deadline:
        time.sleep(0.05)
    for session in sessions:
        session.kill()
