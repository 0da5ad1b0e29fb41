"""
Keeps this machine from being locked out of the token endpoints.

Five refused logins lock a pair of id and secret for ten minutes (Aspose Cloud's page on rate limits). Every task is
a process of its own, so refusals are counted in a folder that all processes of a user share. It holds times only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.errors import AuthenticationFailed

_WINDOW = 600.0
_MOST_REFUSED = 3
_LONGEST_TURN = 10.0


class Logins:
    """
    The logins of one pair of client id and secret, from all processes of this user on this machine.

    :param settings: the connection
    :param folder: where the refusals are counted
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self._label = settings.label
        pair = "\0".join((settings.token_url, settings.client_id, settings.client_secret))
        self._folder = folder or Path(tempfile.gettempdir()) / f"docconv-logins-{os.getuid()}"
        self._file = self._folder / hashlib.sha256(pair.encode()).hexdigest()[:32]

    def require_allowed(self) -> None:
        """
        Check that one more refused login would not lock the account.

        :raises AuthenticationFailed: if it could
        """
        refused = self._refused()
        if len(refused) >= _MOST_REFUSED:
            wait = int(refused[0] + _WINDOW - time.time()) + 1
            raise AuthenticationFailed(
                f"{self._label} refused this client id and secret {len(refused)} times in the last ten minutes, "
                "so they were not tried again",
                remedy="correct login (client id) and password (client secret) of the connection, "
                f"or wait {wait} seconds if they are right",
            )

    def record_refused(self) -> None:
        """Count a refused login."""
        times = [*self._refused(), time.time()][-_MOST_REFUSED:]
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._file.write_text("\n".join(map(str, times)))
        except OSError:
            return  # A full or read-only disk: the account's own lock remains.

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let one process at a time log in, so that a wrong secret is noticed before the others try it."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            lock = self._file.with_suffix(".lock").open("w")
        except OSError:
            yield
            return
        with lock:
            _wait_for(lock.fileno())
            yield

    def _refused(self) -> list[float]:
        try:
            times = [float(line) for line in self._file.read_text().split()]
        except (OSError, ValueError):
            return []
        return sorted(at for at in times if time.time() - _WINDOW < at <= time.time())


def _wait_for(file: int) -> None:
    # Bounded: a process that hangs in its login must not stop the others.
    until = time.monotonic() + _LONGEST_TURN
    while time.monotonic() < until:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return
