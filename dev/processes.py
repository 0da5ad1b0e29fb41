"""Starts programs and sees to it that nothing of them is left, however we end."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from dev.reaper import Reaper
from dev.sessions import Session, end

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        self.session: Session | None = None

    def start(self) -> Session:
        """Start the program, anew if it has ended."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.session = Session.of(self.popen.pid)
        return self.session

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
        if self.session:
            self.session.signal(number)

    def kill(self) -> None:
        """End the program and everything it started at once, as a crash of the machine would."""
        self.stop(grace=0)

    def stop(self, grace: float = 3) -> None:
        """End the program and everything it started, politely at first if there is time for it."""
        if self.session and self.popen:
            if grace:
                end([self.session], grace)
            self.session.kill()
            self.popen.wait()


class Processes:
    """Programs that end together: a context manager that leaves nothing running, not even if we are killed."""

    def __init__(self) -> None:
        self.running: list[Process] = []
        self.reaper: Reaper | None = None

    def start(self, process: Process) -> Process:
        """Start a program, anew if it has ended, and take charge of it."""
        self.reaper = self.reaper or Reaper()
        self.reaper.watch(process.start())
        if process not in self.running:
            self.running.append(process)
        return process

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        with undisturbed():
            if self.reaper:
                self.reaper.reap()
            for process in self.running:
                process.stop(grace=0)


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
