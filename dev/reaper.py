"""
Ends the programs of a process once that process is gone, even if it was killed without a chance to clean up.

It reads from its parent which sessions there are; the end of the pipe is the parent's end.
"""

from __future__ import annotations

import json
import subprocess
import sys

from dev.environment import ROOT
from dev.sessions import Session, end


class Reaper:
    """The parent's side of it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "dev.reaper"]
        self.popen = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True, text=True)

    def watch(self, session: Session) -> None:
        """Hand over a session."""
        assert self.popen.stdin is not None  # noqa: S101  # for mypy; it is a pipe
        self.popen.stdin.write(json.dumps([session.leader, session.born]) + "\n")
        self.popen.stdin.flush()

    def reap(self) -> None:
        """End all sessions now."""
        self.popen.communicate()


def main() -> None:
    """Wait for the parent's end."""
    sessions = [Session(*json.loads(line)) for line in sys.stdin]
    end(sessions)


if __name__ == "__main__":
    main()
