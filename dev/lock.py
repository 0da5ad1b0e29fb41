"""One demo at a time in a checkout: the database, the inbox and the output are its own."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dev.environment import HOME


@contextmanager
def alone() -> Iterator[None]:
    """Run what is inside only if no other demo does; the kernel opens the lock however we end."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("`make demo` or `make ui` is running in this folder already; stop it first.")
        yield
