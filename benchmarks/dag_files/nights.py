"""A night in one task, which writes down what each of its stints in a worker costs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from airflow.sdk import DAG, ObjectStoragePath, Param

from airflow_provider_docconv.operators.docconv import ConvertDocumentsOperator

PARAMS = {
    "source": Param(type="string"),
    "destination": Param(type="string"),
    "conn_id": Param("echo", type="string"),
    "in_flight": Param(100, type="integer"),
    "stints": Param(type="string"),
}


class MeasuredOperator(ConvertDocumentsOperator):
    """
    Writes a line of JSON for each stint in a worker: when it began and ended, its memory and its processor time.

    :param stints: the file for the lines
    """

    template_fields = (*ConvertDocumentsOperator.template_fields, "stints")

    def __init__(self, *, stints: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stints = stints

    def execute(self, context: Any) -> Any:
        """Convert, and measure it."""
        self.max_in_flight = context["params"]["in_flight"]
        with measured(Path(self.stints)):
            return super().execute(context)

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        """Go on, and measure it."""
        self.max_in_flight = context["params"]["in_flight"]
        with measured(Path(self.stints)):
            return super().execute_complete(context, event)


@contextmanager
def measured(file: Path) -> Iterator[None]:
    """Add a line about this process to a file when the context ends."""
    process = psutil.Process()
    # Forgets the peak of everything before, such as the parsing of this file.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    idle = memory("VmRSS")
    # At the first use of any store, Airflow loads the drivers of all providers that are installed.
    drivers = memory("VmRSS") - idle if ObjectStoragePath("file:///").fs else 0
    try:
        yield
    finally:
        times = process.cpu_times()
        line = {
            "began": process.create_time(),
            "ended": time.time(),
            "cpu": times.user + times.system,
            "idle": idle,
            "drivers": drivers,
            "peak": memory("VmHWM"),
        }
        with file.open("a") as lines:
            lines.write(json.dumps(line) + "\n")


def memory(what: str) -> int:
    """Return one of the kernel's numbers about the memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(what)


with DAG("night", schedule=None, params=PARAMS) as dag:
    MeasuredOperator(
        task_id="convert",
        source="{{ params.source }}",
        target_format="pdf",
        conn_id="{{ params.conn_id }}",
        destination="{{ params.destination }}",
        stints="{{ params.stints }}",
        max_transfers=8,
        grace=5,
        deferrable=True,
    )
