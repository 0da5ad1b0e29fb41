"""The stand-in as a process of its own, and Airflow's connections to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from workbench.environment import ROOT, VENV, program_environment
from workbench.processes import Process, Processes, free_ports, wait_until
from workbench.standin import certificates

if TYPE_CHECKING:  # the server needs nothing of it
    from workbench.airflow import Airflow

TIMEOUT = (5, 60)


class StandIn:
    """
    A stand-in on a free loopback port.

    :param log: the file that gets what it prints.
    :param options: more of the command line of ``python -m workbench.standin``.
    :param tls: a folder for the certificate to serve HTTPS with, None for HTTP.
    :ivar authority: the file of the authority that signed the certificate, None for HTTP.
    """

    def __init__(self, log: Path, *options: str, tls: Path | None = None) -> None:
        (self.port,) = free_ports(1)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.authority = certificates.authority(tls.resolve()) if tls else None
        command = [str(VENV / "bin" / "python"), "-m", "workbench.standin", "--port", str(self.port), *options]
        command += ["--tls", str(tls)] if tls else []
        self.process = Process("The stand-in", command, log, program_environment(PYTHONPATH=str(ROOT)))
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

    def start(self) -> None:
        """Start it, anew if it has ended: then with an empty account, and without a memory of its operations."""
        self.processes.start(self.process)

    def wait_until_healthy(self, timeout: float = 60) -> None:
        """Wait until it answers."""
        wait_until(self._healthy, "Starting the stand-in", timeout, [self.process], pause=0.05)

    def connect(
        self, airflow: Airflow, conn_id: str = "aspose_slides_default", conn_type: str = "aspose_slides"
    ) -> None:
        """
        Point one of Airflow's connections to it.

        :param airflow: the Airflow.
        :param conn_id: the connection's id.
        :param conn_type: its type, ``aspose_slides`` or ``aspose_ocr``.
        """
        extra = json.dumps({"verify": str(self.authority)} if self.authority else {})
        airflow.connect(conn_id, conn_type, host=self.url, login="standin", password="standin", extra=extra)  # noqa: S106 - any will do

    def stats(self, sources: bool = True) -> dict[str, Any]:
        """
        Return the account.

        :param sources: whether with what became of each source, which is much where there were many.
        """
        answer = self._session.get(f"{self.url}/standin/stats", params={"sources": int(sources)}, timeout=TIMEOUT)
        answer.raise_for_status()
        value: dict[str, Any] = answer.json()
        return value

    def lose_next_start(self, kind: str = "reset", source_sha256: str | None = None) -> None:
        """
        Let the reply to the next start that creates an operation be lost.

        :param kind: the fault that loses it: 500, reset, truncated or garbage.
        :param source_sha256: the source whose next start it is, None for any.
        """
        self._post("lose-next-start", {"kind": kind, "source": source_sha256})

    def finish(self) -> None:
        """Let all operations end now."""
        self._post("finish", {})

    def set_quota(self, left: int | None) -> None:
        """Deny all starts after as many operations more, or none any longer."""
        self._post("quota", {"left": left})

    def _post(self, what: str, body: dict[str, Any]) -> None:
        self._session.post(f"{self.url}/standin/{what}", json=body, timeout=TIMEOUT).raise_for_status()

    def _healthy(self) -> bool:
        try:
            return self._session.get(f"{self.url}/standin/health", timeout=5).ok
        except requests.ConnectionError:
            return False
