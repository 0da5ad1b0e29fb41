"""How much processor time the report of a large batch takes: nothing runs here but the writing itself."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import BinaryIO

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.batch.report import ReportLine, write_html, write_jsonl
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from dev.table import size, table

DOCUMENTS = 10_000
RUNS = 7
SUMMARY = {"began": "2026-11-24T02:00:00+00:00", "seconds": 1800.0, "calls": {"start": 9_500, "status": 14_000}}
# Of 20 documents, one is rejected, one failed, one is unfinished and two are skipped.
STATES = (
    *[DocumentState.DELIVERED] * 15,
    *[DocumentState.SKIPPED] * 2,
    DocumentState.REJECTED,
    DocumentState.FAILED,
    DocumentState.STARTED,
)


def describe() -> str:
    """Write both forms of the report of one batch, and return the section about it."""
    lines = [_line(number) for number in range(DOCUMENTS)]
    forms: dict[str, Callable[[BinaryIO], None]] = {
        "the page": lambda file: write_html(file, "nightly, convert", SUMMARY, lambda: lines),
        "JSON Lines": lambda file: write_jsonl(file, lines),
    }
    rows = [_measure(name, write) for name, write in forms.items()]
    heads = ["report", "first, s", f"median of {RUNS}, s", "size"]
    return (
        f"## Report\n\nThe report of {DOCUMENTS:,} documents, three quarters of them delivered, written to memory; in "
        "processor\ntime. The first one also compiles the template.\n\n"
        f"{table(heads, rows, heads[1:])}\n"
    )


def _measure(name: str, write: Callable[[BinaryIO], None]) -> list[str]:
    seconds = []
    for _ in range(RUNS):
        file, began = io.BytesIO(), time.process_time()
        write(file)
        seconds.append(time.process_time() - began)
    return [name, f"{seconds[0]:.2f}", f"{statistics.median(seconds):.2f}", size(file.tell())]


def _line(number: int) -> ReportLine:
    state = STATES[number % len(STATES)]
    name = f"2026/quarter-{number % 4 + 1}/presentation-{number:05}"
    is_delivered = state is DocumentState.DELIVERED
    has_error = state in (DocumentState.REJECTED, DocumentState.FAILED)
    result = DeliveredFile(uri=f"s3://documents/pdf/{name}.pdf", size=50_000 + number, sha256=f"{number:064x}")
    return ReportLine(
        source=f"s3://documents/inbox/{name}.pptx",
        state=state,
        target_format="pdf",
        results=(result,) if is_delivered else (),
        operation_id=f"operation-{number}",
        attempts=1 + number % 2,
        lost_replies=int(number % 100 == 0),
        size=1_000 + 7_919 * number,
        source_sha256=f"{number:064x}",
        seconds_at_service=number / 100 if is_delivered else None,
        seconds_waited=float(number % 30),
        error="the service refused the document, saying 'The document is encrypted.'" if has_error else None,
        error_type="DocumentRejected" if has_error else None,
        remedy="repair or replace the document" if has_error else None,
    )
