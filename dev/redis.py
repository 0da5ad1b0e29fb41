"""
A real Redis: the machine's own if it has one, else Debian's, unpacked below ``.docconv``.

.. code-block:: python

    with Redis(tmp_path / "redis") as redis:
        celery.Celery(broker=redis.url)
"""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
from pathlib import Path

from dev import debian
from dev.environment import HOME, program_environment
from dev.processes import Process, Processes, free_ports, wait_until

TREE = HOME / "redis"
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
save ""
appendonly no
"""


class Redis:
    """
    A Redis on a free loopback port, with a password that nobody else knows; it keeps everything in memory only.

    :param folder: its folder, made when missing: configuration and log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.password = secrets.token_urlsafe(16)
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        program, environment = server()
        configuration = str(folder / "redis.conf")
        self.process = Process("Redis", [program, configuration], folder / "redis.log", environment)
        self.processes = Processes()

    def __enter__(self) -> Redis:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "redis.conf"
        file.touch(mode=0o600)
        file.write_text(CONFIGURATION.format(port=self.port, password=self.password, folder=self.folder))
        try:
            self.processes.start(self.process)
            wait_until(self._ready, "Starting Redis", 60, [self.process])
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.processes.__exit__(*error)

    def _ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                return connection.recv(16).startswith(b"+OK")
        except OSError:
            return False


def server() -> tuple[str, dict[str, str]]:
    """Return the server's program and the environment to run it in; unpack it when the machine has none."""
    if found := shutil.which("redis-server"):
        return found, program_environment()
    if not TREE.exists():
        debian.unpack(["redis-server"], TREE)
    return str(TREE / "usr/bin/redis-server"), program_environment(**debian.library_path(TREE))
