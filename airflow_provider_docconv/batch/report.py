"""The report of a batch: JSON Lines for programs, and a page for people."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import Any, BinaryIO, Self

import jinja2
import msgspec
import pendulum

from airflow_provider_docconv.batch.progress import duration
from airflow_provider_docconv.batch.record import ConversionRequest, DocumentState, Entry, Run
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from airflow_provider_docconv.transfer.object_storage import write_lines

# The groups of the page: what is not final is shown as one.
STATES = ("delivered", "skipped", "rejected", "failed", "unfinished")
# In the order of the page: what needs a person comes first.
_TO_DO = ("rejected", "failed", "unfinished")
#: Controls, marks that change the writing direction, characters of no width, lone surrogates, noncharacters. Not the
# joiners U+200C and U+200D: Persian and many Indian words need them.
INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# Without a user name, which could pass for the host, and without anything that browsers read differently.
_WEB_ADDRESS = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?([/?#][!#-;=?-\[\]_a-z~]*)?", re.IGNORECASE | re.ASCII)
_MAX_SHOWN = 1000
# How many results without a source are listed.
_MOST_GONE = 1000
# Pieces of the template that are written at once, about 64 KiB.
_BUFFER = 2000


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one document.

    :param source: the document's URI
    :param state: what has become of it; a report of a run that has ended has ``waiting``, ``sent`` and ``started`` for
        documents that were not finished when the task stopped
    :param target_format: the format to convert to
    :param conn_id: the connection that converts it
    :param results: the delivered files: ``uri``, ``size`` and ``sha256`` of each, at most the first hundred
    :param more_results: how many there are beyond these
    :param refused_before: whether it was already rejected, as it is, in an earlier run
    :param source_gone: whether its source is no longer in its folder
    :param left_at_service: whether something of it is still at the service that should have been deleted
    :param operation_id: the operation, if there is one
    :param attempts: starts that were sent in this run
    :param lost_replies: how many of them got no reply, and may have been paid for without a result; with those of an
        earlier run that ended without a report
    :param size: the document's length in bytes
    :param source_sha256: the SHA-256 of what was sent, in hexadecimal
    :param seconds_at_service: how long the conversion took
    :param seconds_waited: how long the document waited in the task before it was sent
    :param error: why there is no result, in a sentence
    :param error_type: the name of the error's type
    :param remedy: what to do
    """

    source: str
    state: DocumentState
    target_format: str
    conn_id: str = ""
    results: tuple[DeliveredFile, ...]
    more_results: int = 0
    refused_before: bool = False
    source_gone: bool = False
    left_at_service: bool = False
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
    def of(cls, request: ConversionRequest, entry: Entry, run: Run) -> Self:
        """
        Return the line of a document.

        :param request: the conversion
        :param entry: what is known of it
        :param run: the run that is reported; attempts of earlier runs do not count
        """
        error = entry.error.error() if entry.error else None
        is_of_this_run = entry.run == run.id
        took = entry.ended - entry.started if entry.ended and entry.started else None
        return cls(
            source=request.source,
            state=entry.state_in(run),
            target_format=request.target_format,
            conn_id=request.conn_id,
            results=entry.results if entry.state is DocumentState.DELIVERED else (),
            more_results=entry.more_results if entry.state is DocumentState.DELIVERED else 0,
            refused_before=entry.state is DocumentState.REJECTED and entry.refused_in not in ("", run.id),
            source_gone=bool(request.gone_since),
            left_at_service=entry.leftover,
            operation_id=entry.operation_id,
            attempts=entry.attempts if is_of_this_run else 0,
            lost_replies=entry.lost_replies_in(run),
            size=request.size,
            source_sha256=entry.source_sha256,
            seconds_at_service=None if took is None else round(took, 3),
            seconds_waited=entry.waited,
            error=error.summary if error else None,
            error_type=type(error).__name__ if error else None,
            remedy=error.remedy if error else None,
        )


def write_jsonl(file: BinaryIO, lines: Iterable[ReportLine]) -> None:
    """
    Write one JSON object per line; lone surrogates, which many readers refuse, become text such as ``\\udce9``.

    :param file: the file to write to
    :param lines: the documents
    """
    encode = msgspec.json.Encoder().encode

    def encoded(line: ReportLine) -> bytes:
        try:
            text = encode(line).decode()
        except UnicodeEncodeError:  # A lone surrogate, which UTF-8 has no bytes for.
            text = encode(_without_surrogates(msgspec.to_builtins(line))).decode()
        return INVISIBLE.sub(_escaped_in_json, text).encode()

    write_lines(file, map(encoded, lines))


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {key: _without_surrogates(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_surrogates(inner) for inner in value]
    return value


def _escaped_in_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def write_html(
    file: BinaryIO,
    title: str,
    summary: Mapping[str, Any],
    lines: Callable[[], Iterable[ReportLine]],
    gone: Iterable[ReportLine] = (),
) -> None:
    """
    Write a page that needs nothing else: no script, no other file, no server.

    :param file: the file to write to
    :param title: its heading
    :param summary: what the task returns; the documents are counted again, so that numbers and tables agree
    :param lines: returns the documents; called several times, so that they need not be in memory
    :param gone: what was delivered of documents whose sources are gone
    """
    counts: Counter[str] = Counter()
    lost = 0
    for line in lines():
        counts[_state(line)] += 1
        lost += line.lost_replies

    def of(*states: str) -> Iterator[ReportLine]:
        return (line for state in states if counts[state] for line in lines() if _state(line) == state)

    page = _template().stream(
        title=title,
        summary=summary,
        counts=counts,
        lost=lost,
        with_lost_replies=(line for line in lines() if line.lost_replies),
        to_do_states=_TO_DO,
        to_do=of(*_TO_DO),
        # Each result has its own row, so that its size and digest are beside it.
        delivered=(
            (line, result, not index) for line in of("delivered") for index, result in enumerate(line.results or [{}])
        ),
        skipped=of("skipped"),
        gone=islice(gone, _MOST_GONE),
    )
    page.enable_buffering(_BUFFER)
    page.dump(file, "utf-8")


def _state(line: ReportLine) -> str:
    return line.state if line.state.is_final else "unfinished"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_visible,
        loader=jinja2.PackageLoader(__package__, ""),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "documents": lambda count: f"{count:,} document{'' if count == 1 else 's'}",
        "folder": lambda uri: uri[: uri.rfind("/") + 1],
        "instant": _instant,
        "name": lambda uri: uri[uri.rfind("/") + 1 :],
        "one_line": _one_line,
        "sentence": sentence,
        "size": _size,
        "span": duration,
        "thousands": lambda count: f"{int(count):,}",
    }
    environment.tests |= {
        "amount": lambda value: isinstance(value, int | float) and 0 <= value < 1e18,
        "span": lambda value: isinstance(value, int | float) and 0 <= value < 1e12,
        "web_address": lambda text: len(text) <= _MAX_SHOWN and _WEB_ADDRESS.fullmatch(text) is not None,
    }
    return environment.get_template("report.html")


def _visible(value: object) -> object:
    return value if hasattr(value, "__html__") else visible(str(value))  # A macro of the template made it.


def visible(text: str) -> str:
    """Return a text as people are shown it: of limited length, with invisible characters spelled out."""
    half = _MAX_SHOWN // 2
    if len(text) > _MAX_SHOWN:
        # The end says more than the middle: in a URI, it is the name.
        text = f"{text[:half]} […] {text[-half:]}"
    if text.isascii() and text.isprintable():
        return text
    return INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def sentence(text: str) -> str:
    """Return a text on one line, with a capital letter unless it begins with the name of a file or a URI."""
    words = _one_line(text)
    return words[:1].upper() + words[1:] if words.partition(" ")[0].isalpha() else words


def _instant(text: str) -> str:
    with suppress(ValueError):
        instant = pendulum.parse(text)
        if isinstance(instant, pendulum.DateTime):
            return f"{instant.in_timezone('UTC').to_datetime_string()} UTC"
    return _one_line(text)


def _size(size: float) -> str:
    power = 0
    while size >= 999.5:
        size, power = size / 1000, power + 1
    if not power:
        return f"{size:.0f} byte{'' if size == 1 else 's'}"
    return f"{size:.{int(size < 9.95)}f} {'kMGTPE'[power - 1]}B"
