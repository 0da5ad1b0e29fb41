"""Starts programs and sees to it that nothing of them is left, however we end."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1


class ProgramDied(RuntimeError):
    """A program ended that should have kept running."""


class Process:
    """
    A program in a session of its own, with its output in a file.

    :param name: what to call it in messages.
    :param command: the program and its arguments.
    :param log: the file that gets everything it prints.
    :param environment: its environment.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.environment = environment
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program; a second start is for one that has ended."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    @property
    def pid(self) -> int:
        """The process id, which is the session id of everything the program starts, too."""
        if self.popen is None:
            raise ProgramDied(f"{self.name} was never started.")
        return self.popen.pid

    @property
    def alive(self) -> bool:
        """Whether the program is running."""
        return self.popen is not None and self.popen.poll() is None

    def check(self) -> None:
        """Raise if the program has ended, with the end of what it printed."""
        if not self.alive:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise ProgramDied(f"{self.name} ended unexpectedly; the end of {self.log}:\n{tail}")

    def signal(self, number: signal.Signals) -> None:
        """Send the program (and nothing it started) a signal: SIGSTOP, SIGCONT, SIGTERM, SIGKILL."""
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the program and everything it started at once, as a crash of the machine would."""
        if self.popen is None:
            return
        for pid in session(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()

    def stop(self, grace: float = 3) -> None:
        """End the program, politely at first."""
        stop_all([self], grace)


def stop_all(processes: Sequence[Process], grace: float = 3) -> None:
    """
    End programs and everything they started.

    :param processes: the programs.
    :param grace: seconds they get, all together, until they are killed.
    """
    for process in processes:
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)
    deadline = time.monotonic() + grace
    while any(p.alive for p in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in processes:
        process.kill()


def session(leader: int) -> Iterator[int]:
    """Yield the processes of a session: Airflow gives its tasks process groups of their own, never sessions."""
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                yield pid


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent is killed without a chance to clean up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Processes:
    """Programs that end together: a context manager that leaves nothing running, not even on a second Ctrl-C."""

    def __init__(self) -> None:
        self.running: list[Process] = []

    def start(self, process: Process) -> Process:
        """Start a program and take charge of it."""
        self.running.append(process)
        process.start()
        return process

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        with undisturbed():
            stop_all(self.running)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no signal interrupt what runs inside."""
    with ExitStack() as stack:
        for number in SIGNALS:
            with suppress(ValueError):  # not the main thread, which is the only one that gets signals
                stack.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
        yield


def end_on_signals() -> None:
    """Turn the signals that would end us at once into an exception, so that whatever we started is stopped."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in SIGNALS:
        signal.signal(number, leave)


def free_ports(count: int) -> list[int]:
    """Return distinct loopback ports that nobody uses now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(
    ready: Callable[[], bool], what: str, timeout: float, watch: Sequence[Process] = (), pause: float = 0.2
) -> None:
    """
    Wait for something to become true.

    :param ready: the question.
    :param what: what is awaited, for the message when it never comes.
    :param timeout: seconds until giving up.
    :param watch: programs without which it will never come.
    :param pause: seconds between two questions.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        for process in watch:
            process.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {timeout:.0f} seconds.")
        time.sleep(pause)
