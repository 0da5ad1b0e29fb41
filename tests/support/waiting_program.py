"""
A triggerer without Airflow's supervisor, which takes note of each call that would block its loop.

``python -m tests.support.waiting_program OPERATIONS FOUND [FAULT]`` waits for the operations of a file; FOUND gets what
was found, as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import airflow.jobs.triggerer_job_runner  # noqa: F401 - what a triggerer has loaded before its first trigger
import requests  # the fault of that name must not be found by its import

# Of what CPython tells its audit hooks, that which waits for others.
AUDITED = {"socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "fcntl.flock", "os.system"}


def watch_for_blocking_calls(found: Counter[str]) -> None:
    """Count what blocks in this thread from now on: sleeps, look-ups of names, and reads from sockets that wait."""
    here = threading.get_ident()

    def note(event: str) -> None:
        if threading.get_ident() == here:
            found[event] += 1

    def counting(event: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*values: Any) -> Any:
            note(event)
            return call(*values)

        return counted

    sys.addaudithook(lambda event, _: note(event) if event in AUDITED else None)
    time.sleep = counting("time.sleep", time.sleep)
    # requests, urllib3 and all else that stands on http.client reads through it; asyncio never does.
    socket.SocketIO.readinto = counting("socket.readinto", socket.SocketIO.readinto)  # type: ignore[method-assign]  # There is no audit event for a read.


FAULTS: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(0.03),
    "requests": lambda: requests.get(os.environ["SANDBOX"], verify=False, timeout=10),
}


async def wait_for(operation_id: str, values: dict[str, Any], fault: Callable[[], object] | None) -> str:
    """Run a trigger as Airflow does, which imports it in its loop."""
    kind: Any = importlib.import_module("airflow_provider_docconv.triggers.docconv").ConversionTrigger

    class Faulty(kind):  # type: ignore[misc]  # Its base is only known here.
        async def run(self) -> AsyncIterator[Any]:
            if fault:
                fault()
            async for event in super().run():
                yield event

    async for event in (Faulty if fault else kind)(operation_id=operation_id, conn_id="docs", **values).run():
        return str(event.payload.get("operation", event.payload)["state"])
    return "no event"


async def wait_for_all(operations: list[str], fault: Callable[[], object] | None) -> Counter[str]:
    values = {"deadline": time.time() + 300, "poke_interval": 0.5, "max_poke_interval": 1.0, "started": time.time()}
    tasks = []
    for number, each in enumerate(operations):
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(wait_for(each, values, None if number else fault)))
    return Counter(await asyncio.gather(*tasks))


def main(operations: Path, found: Path, fault: str | None = None) -> None:
    blocking = Counter[str]()
    watch_for_blocking_calls(blocking)
    ended = asyncio.run(wait_for_all(json.loads(operations.read_text()), FAULTS[fault] if fault else None))
    found.write_text(json.dumps({"ended": ended, "blocking": blocking}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
