"""How much memory a batch's documents take: listing, deciding, the record, the summary and the report."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from airflow_provider_docconv.batch import batch as batch_module
from airflow_provider_docconv.batch.record import DocumentState, Entry
from airflow_provider_docconv.batch.sources import Naming, SourceFile, SourceSpec
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from dev.table import table

COUNTS = (10_000, 100_000)
MIB = 1 << 20


@dataclass(frozen=True)
class Memory:
    """
    What a batch has taken.

    :param documents: how many documents
    :param run: the first run of the batch, which delivers all, or the next one, which skips all
    :param growth: resident memory above that of the idle process, in MiB, at its peak
    :param cpu: processor time of all that is done here, in seconds
    """

    documents: int
    run: str
    growth: float
    cpu: float


def measure(home: Path, counts: tuple[int, ...] = COUNTS) -> list[Memory]:
    """
    Run batches in processes of their own, each twice.

    :param home: a folder for the records, which is made
    :param counts: how many documents
    """
    found = []
    for count in counts:
        for run in ("first", "next"):
            command = [sys.executable, "-m", "benchmarks.memory", str(home / str(count)), str(count), run]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
            growth, cpu = json.loads(output.splitlines()[-1])
            found.append(Memory(count, run, growth, cpu))
    return found


def describe(found: list[Memory]) -> str:
    """Return what was found as a section of Markdown."""
    rows = [[f"{each.documents:,}", each.run, f"{each.growth:.0f} MiB", f"{each.cpu:.1f}"] for each in found]
    heads = ["documents", "run", "memory", "processor time, s"]
    return (
        "## Memory\n\nThe resident memory that a batch takes above that of the idle task: it lists and decides, "
        "records the end of each\ndocument, folds the record, and writes summary and report. The first run delivers "
        "all, the next one skips all. No\ndocument is read, and nothing is sent.\n\n"
        f"{table(heads, rows, heads[2:])}\n"
    )


def _measure_here(home: str, count: int, run: str) -> tuple[float, float]:
    # What is imported or compiled at the first use belongs to the idle task.
    _convert(f"{home}/warm", 10, run)
    idle, began = _resident("VmRSS"), time.process_time()
    _convert(home, count, run)
    return (_resident("VmHWM") - idle) / MIB, time.process_time() - began


def _convert(home: str, count: int, run: str) -> None:
    def found(*_: Any) -> Iterator[SourceFile]:
        for number in range(count):
            name = f"2026/quarter-{number % 4 + 1}/presentation-{number:06}.pptx"
            yield SourceFile(f"s3://aws_default@documents/inbox/{name}", name, 7_919 * number, f"{number:032x}")

    # So many files would take minutes to make, and nothing here reads them.
    batch_module.find = found
    ids = {"dag_id": "nightly", "task_id": "convert", "run_id": f"scheduled__2026-11-24T02:00:00+00:00_{run}"}
    context: Any = {"ti": SimpleNamespace(**ids, map_index=-1, max_tries=2, try_number=1)}
    destination = f"file://{home}/pdf/"
    batch = batch_module.Batch(
        [SourceSpec("s3://aws_default@documents/inbox/", None, "pdf", {})],
        Naming(destination),
        record_folder=destination,
        destination_as_written=destination,
        connections=batch_module.Connections(
            {"*": "docs"}, {"docs": Settings("aspose_slides", "id", "secret")}, lambda _: {}
        ),
        context=context,
        log=logging.getLogger(),
        full_refresh=False,
        start_again=True,
    )
    batch.load(resumed=False)
    batch.fold()
    for number, document in enumerate(batch.to_do()):
        document.entry = batch.record.stamp(_delivered(number, document))
    batch.fold()
    summary = batch.summary()
    batch.write_report(summary)
    assert summary["delivered" if run == "first" else "skipped"] == count  # noqa: S101 - else this measures nothing


def _delivered(number: int, document: batch_module.Document) -> Entry:
    result: DeliveredFile = {"uri": document.request.destination, "size": 50_000 + number, "sha256": f"{number:064x}"}
    return replace(
        document.entry,
        state=DocumentState.DELIVERED,
        operation_id=f"3f2b8c1d-9a47-4e0b-8f5c-{number:012d}",
        started=1.8e9 + number,
        ended=1.8e9 + number + 7.5,
        waited=number / 8,
        attempts=1,
        source_sha256=f"{number:064x}",
        results=(result,),
    )


def _resident(name: str) -> int:
    """Return the process's memory now (``VmRSS``) or at its peak (``VmHWM``), in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


if __name__ == "__main__":
    print(json.dumps(_measure_here(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
