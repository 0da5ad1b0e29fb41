"""The sandbox as a process of its own, and Airflow's connections to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Self

import requests

from dev import certificates
from dev.airflow import Airflow
from dev.environment import CACHE, HOME, VENV, program_environment
from dev.processes import Process, Processes, free_ports, wait_until

CONNECTIONS = {
    "aspose_slides_default": "aspose_slides",
    "groupdocs_conversion_default": "groupdocs_conversion",
    "aspose_ocr_default": "aspose_ocr",
}
CLIENT_ID = "sandbox"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105  # it guards nothing
#: The same for a connection.
LOGIN = {"login": CLIENT_ID, "password": CLIENT_SECRET}
_TIMEOUT = (5, 60)


class Sandbox:
    """
    The three services on a free loopback port.

    :param log: the file that gets what it prints.
    :param options: more of ``docconv-sandbox``'s command line.
    :param tls: a folder for the certificate to serve HTTPS with, None for HTTP.
    :ivar authority: the file of the authority that signed the certificate, None for HTTP.
    """

    def __init__(self, log: Path, *options: str, tls: Path | None = None) -> None:
        (self.port,) = free_ports(1)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.work = HOME / "tmp" / f"sandbox-{self.port}"
        command = [str(VENV / "bin" / "docconv-sandbox"), "--port", str(self.port), *options]
        self.authority: Path | None = None
        if tls:
            self.authority, certificate = certificates.make(tls.resolve())
            command += ["--tls-certificate", str(certificate)]
        # LibreOffice would leave caches and settings in the home of the user who runs it.
        folders = {"TMPDIR": self.work, "XDG_CONFIG_HOME": self.work, "XDG_CACHE_HOME": CACHE}
        environment = program_environment(**{name: str(folder) for name, folder in folders.items()})
        self.process = Process("The sandbox", command, log, environment)
        self.processes = Processes()
        self._session = requests.Session()
        # Loopback never goes through a proxy, whatever the environment says.
        self._session.trust_env = False
        self._session.verify = str(self.authority) if self.authority else True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()
        self.processes.__exit__(*error)
        shutil.rmtree(self.work, ignore_errors=True)

    def start(self) -> None:
        """Start it, anew if it has ended: then with an empty account, and without a memory of its operations."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.processes.start(self.process)

    def wait_until_healthy(self, timeout: float = 60) -> None:
        """Wait until it answers."""
        wait_until(self._healthy, "Starting the sandbox", timeout, [self.process], pause=0.05)

    def connect(self, airflow: Airflow, conn_id: str, conn_type: str = "aspose_slides") -> None:
        """
        Point one of Airflow's connections to it.

        :param airflow: the Airflow.
        :param conn_id: the connection's id.
        :param conn_type: its type.
        """
        extra = json.dumps({"verify": str(self.authority)} if self.authority else {})
        airflow.connect(conn_id, conn_type, host=self.url, extra=extra, **LOGIN)

    def connect_all(self, airflow: Airflow) -> None:
        """Point Airflow's default connection of each service to it."""
        for conn_id, conn_type in CONNECTIONS.items():
            self.connect(airflow, conn_id, conn_type)

    def stats(self, details: bool = True) -> dict[str, Any]:
        """
        Return its account.

        :param details: whether with each operation and each source, which is much where there were many.
        """
        answer = self._session.get(f"{self.url}/sandbox/stats", params={"details": int(details)}, timeout=_TIMEOUT)
        answer.raise_for_status()
        value: dict[str, Any] = answer.json()
        return value

    def lose_next_start(self, kind: str = "reset", source_sha256: str | None = None) -> None:
        """
        Let the reply to the next start that creates an operation be lost.

        :param kind: the fault that loses it: 500, reset, truncated or garbage.
        :param source_sha256: the source whose next start it is, None for any.
        """
        self._order("lose-next-start", {"kind": kind, "source": source_sha256})

    def finish(self) -> None:
        """Let all operations end now."""
        self._order("finish", {})

    def set_quota(self, left: int | None) -> None:
        """Refuse all starts after as many operations more, or none any longer."""
        self._order("quota", {"left": left})

    def _order(self, what: str, body: dict[str, Any]) -> None:
        self._session.post(f"{self.url}/sandbox/{what}", json=body, timeout=_TIMEOUT).raise_for_status()

    def _healthy(self) -> bool:
        try:
            return self._session.get(f"{self.url}/sandbox/health", timeout=5).ok
        except requests.ConnectionError:
            return False
