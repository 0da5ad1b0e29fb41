"""
Nothing blocks the triggerer's loop, from the first import to the last event.

What blocks is found by what it does: it sleeps, looks up a name, or reads from a socket until something comes. How much
processor time a turn of the loop takes is measured by ``benchmarks/waits.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.settings import Settings
from dev.environment import ROOT, program_environment
from dev.sandbox import CLIENT_ID, CLIENT_SECRET, LOGIN, Sandbox
from tests.support.flows import document

COUNT = 200


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Sandbox]:
    options = ("--seconds", "1", "--spread", "0.5")
    with Sandbox(tmp_path / "sandbox.log", "--engine", "echo", *options, tls=tmp_path / "tls") as echo:
        echo.wait_until_healthy()
        yield echo


@pytest.fixture
def wait(service: Sandbox, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Wait for so many operations in a process of its own, and return what was found."""

    def run(count: int, *fault: str) -> dict[str, Any]:
        operations, found = tmp_path / "operations.json", tmp_path / "found.json"
        operations.write_text(json.dumps(start(service, count)))
        extra = {"verify": str(service.authority)}
        connection = {"conn_type": "aspose_slides", "host": service.url, "extra": extra, **LOGIN}
        environment = program_environment(
            PYTHONPATH=str(ROOT),
            AIRFLOW_HOME=str(tmp_path / "airflow"),
            AIRFLOW_CONN_DOCS=json.dumps(connection),
            SANDBOX=f"{service.url}/sandbox/health",
            TMPDIR=str(tmp_path),
        )
        with (tmp_path / "log").open("w") as log:
            command = [sys.executable, "-m", "tests.support.waiting_program", str(operations), str(found), *fault]
            subprocess.run(command, env=environment, stdout=log, stderr=log, check=True, timeout=300)
        told: dict[str, Any] = json.loads(found.read_text())
        return told

    return run


def start(service: Sandbox, count: int) -> list[str]:
    client = Client(Settings("aspose_slides", CLIENT_ID, CLIENT_SECRET, service.url, verify=str(service.authority)))

    def one(_: int) -> str:
        return client.run(client.service.start(document(), "pdf", {})).operation_id

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(one, range(count)))


def test_many_waits_never_block_the_loop(wait: Callable[..., dict[str, Any]], service: Sandbox) -> None:
    found = wait(COUNT)
    assert found == {"ended": {"succeeded": COUNT}, "blocking": {}}
    # One login is the test's own.
    assert service.stats(details=False)["calls"]["login"] == 2


@pytest.mark.parametrize(("fault", "event"), [("sleep", "time.sleep"), ("requests", "socket.readinto")])
def test_what_blocks_the_loop_is_found(wait: Callable[..., dict[str, Any]], fault: str, event: str) -> None:
    found = wait(3, fault)
    assert found["ended"] == {"succeeded": 3}
    assert event in found["blocking"]
