"""The report of a batch, a line of JSON for each document."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from airflow_provider_docconv.batch.markup import INVISIBLE
from airflow_provider_docconv.batch.record import Progress
from airflow_provider_docconv.exceptions import deserialize

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.record import ConversionRequest, Entry, Run

STATES = ("delivered", "skipped", "rejected", "failed", "unfinished")


@dataclass(frozen=True, slots=True)
class ReportLine:
    """
    What became of one document.

    :param source: the document's URI
    :param state: ``delivered``, ``skipped`` (unchanged since its last conversion), ``rejected`` (a person must look at
        it), ``failed`` (the next try or night converts it) or ``unfinished`` (at the service or not begun when the task
        stopped)
    :param target_format: the format to convert to
    :param results: what was delivered: ``uri``, ``size`` and ``sha256`` of each
    :param operation_id: the operation, if there is one
    :param attempts: starts that were sent in this run
    :param lost_replies: those of them whose reply never came: possibly paid without a result
    :param size: the document's length in bytes
    :param source_sha256: the SHA-256 of what was sent, in hexadecimal
    :param seconds_at_service: how long the conversion took
    :param seconds_waited: how long the document waited in the task before it was sent
    :param error: why there is no result, in a sentence
    :param error_type: the name of the error's type
    :param remedy: what to do
    """

    source: str
    state: str
    target_format: str
    results: list[dict[str, Any]]
    operation_id: str | None
    attempts: int
    lost_replies: int
    size: int | None
    source_sha256: str | None
    seconds_at_service: float | None
    seconds_waited: float | None
    error: str | None
    error_type: str | None
    remedy: str | None

    @classmethod
    def of(cls, wanted: ConversionRequest, entry: Entry, state: str, run: Run) -> Self:
        """
        Tell what has become of a document.

        :param wanted: what was wanted of it
        :param entry: what is known of it
        :param state: where it is
        :param run: the run of the report: what earlier ones have cost is not told again
        """
        error = deserialize(entry.error) if entry.error else None
        ours = entry.run == run.id
        took = entry.ended - entry.started if entry.ended and entry.started else None
        return cls(
            source=wanted.source,
            state=state if state in STATES else "unfinished",
            target_format=wanted.target_format,
            results=entry.results if entry.progress is Progress.DELIVERED else [],
            operation_id=entry.operation_id,
            attempts=entry.attempts if ours else 0,
            lost_replies=entry.lost_replies if ours else 0,
            size=wanted.size,
            source_sha256=entry.source_sha256,
            seconds_at_service=None if took is None else round(took, 3),
            seconds_waited=entry.waited,
            error=error.summary if error else None,
            error_type=type(error).__name__ if error else None,
            remedy=error.remedy if error else None,
        )


def write_jsonl(file: BinaryIO, lines: Iterable[ReportLine]) -> None:
    """
    Write one JSON object a line; lone surrogates, which many readers refuse, become text such as ``\\udce9``.

    :param file: where to
    :param lines: the documents
    """
    for line in lines:
        text = json.dumps(_finite(asdict(line)), ensure_ascii=False, allow_nan=False)
        file.write(INVISIBLE.sub(_escaped_in_json, text).encode() + b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _escaped_in_json(match: re.Match[str]) -> str:
    escape = json.dumps(match[0])[1:-1]
    return "\\" + escape if "\ud800" <= match[0] <= "\udfff" else escape
