"""A server of an object store, as a process that ends with its block."""

from __future__ import annotations

import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from dev.environment import program_environment
from dev.processes import Process, Processes, free_ports, wait_until


class Server(ABC):
    """
    A server on a free loopback port, with an account that nobody else knows.

    :param folder: for all that it keeps, made when missing.
    :ivar url: its address.
    :ivar data: the folder for the objects.
    :ivar account: the name of its only account.
    :ivar key: the secret of it.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.account = f"docconv{secrets.token_hex(4)}"
        self.key = secrets.token_hex(20)
        self.folder = folder
        self.data = folder / "data"
        self.processes = Processes()

    def __enter__(self) -> Self:
        self.data.mkdir(parents=True, exist_ok=True)
        environment = program_environment(**self.variables())
        server = Process(self.name, self.command(self.data), self.folder / "server.log", environment)
        try:
            self.processes.start(server)
            wait_until(self._listens, f"Starting {self.name}", 60, [server], pause=0.05)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.processes.__exit__(*error)

    @abstractmethod
    def command(self, data: Path) -> Sequence[str]:
        """
        Return the program and its arguments; install it when it is missing.

        :param data: the folder for the objects.
        """

    def variables(self) -> Mapping[str, str]:
        """Return the variables that the program needs."""
        return {}

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False
