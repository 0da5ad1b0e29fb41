"""The sandbox as a process of its own, and Airflow's connections to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import requests

from workbench.airflow import Airflow
from workbench.environment import CACHE, HOME, VENV, program_environment
from workbench.processes import Process, Processes, free_ports, wait_until

CONNECTIONS = {
    "aspose_slides_default": "aspose_slides",
    "groupdocs_conversion_default": "groupdocs_conversion",
    "aspose_ocr_default": "aspose_ocr",
}


class Sandbox:
    """
    The three services on a free loopback port.

    :param log: the file that gets what it prints.
    :param options: more of ``docconv-sandbox``'s command line.
    """

    def __init__(self, log: Path, *options: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.work = HOME / "tmp" / f"sandbox-{self.port}"
        command = [str(VENV / "bin" / "docconv-sandbox"), "--port", str(self.port), *options]
        # LibreOffice would leave caches and settings in the home of whoever runs it.
        folders = {"TMPDIR": self.work, "XDG_CONFIG_HOME": self.work, "XDG_CACHE_HOME": CACHE}
        environment = program_environment(**{name: str(folder) for name, folder in folders.items()})
        self.process = Process("The sandbox", command, log, environment)
        self.processes = Processes()

    def __enter__(self) -> Sandbox:
        self.work.mkdir(parents=True, exist_ok=True)
        self.processes.start(self.process)
        return self

    def __exit__(self, *error: object) -> None:
        self.processes.__exit__(*error)
        shutil.rmtree(self.work, ignore_errors=True)

    def wait_until_healthy(self, timeout: float = 60) -> None:
        """Wait until it answers."""
        wait_until(self._healthy, "Starting the sandbox", timeout, [self.process])

    def connect(self, airflow: Airflow) -> None:
        """Point Airflow's connection of each service to the sandbox."""
        for conn_id, conn_type in CONNECTIONS.items():
            airflow.connect(conn_id, conn_type, host=self.url, login="sandbox", password="sandbox")  # noqa: S106  # the sandbox's own

    def _healthy(self) -> bool:
        try:
            return requests.get(f"{self.url}/sandbox/health", timeout=5).ok
        except requests.ConnectionError:
            return False
