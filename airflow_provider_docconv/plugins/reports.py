"""The report of a task: what has become of each document, read from the object store, also while the task runs."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from airflow_provider_docconv.batch.record import DocumentState, Entry, Record, Run
from airflow_provider_docconv.batch.report import ReportLine, sentence, visible
from airflow_provider_docconv.compat import AirflowNotFoundException, BaseHook, conf
from airflow_provider_docconv.plugins.conversions import Summary, Task
from airflow_provider_docconv.services.errors import DocConvError, explain
from airflow_provider_docconv.transfer.object_storage import (
    LOCAL,
    forget_store,
    open_for_reading,
    store_errors,
    to_path,
)

#: In the order of the page: what needs a person comes first, then what is under way.
ORDER = tuple(map(DocumentState, ("rejected", "failed", "started", "sent", "waiting", "delivered", "skipped")))
# A server has other things to do: larger reports and records are not read.
_LARGEST = 256 << 20
# Seconds that somebody waits for a store, and for which what was read is kept: briefly while the task runs.
_PATIENCE = 20.0
_KEPT_RUNNING, _KEPT_ENDED = 3.0, 60.0
# Stores that are read at once, and reports that are kept.
_AT_ONCE = 4


class Unreadable(Exception):
    """A file can't be shown, for the reason in its text, which is meant for people."""


class Documents(NamedTuple):
    """
    What has become of the documents of a task.

    :param lines: a line for each
    :param gone: what was delivered of documents whose sources are gone
    """

    lines: Sequence[ReportLine]
    gone: Sequence[ReportLine]

    def find_result(self, key: str) -> str | None:
        """
        Return the address of a result.

        :param key: what :func:`result_key` gives for it
        """
        for line in (*self.lines, *self.gone):
            for result in line.results:
                if result_key(result["uri"]) == key:
                    return result["uri"]
        return None


class _Reads:
    """Reads of object stores in threads of their own, each once however many people ask for the same."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, "docconv-reports")
        self._kept: OrderedDict[object, tuple[Future[Any], float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, seconds: float, read: Callable[[], Any]) -> Any:
        """
        Return what a function returns.

        :param key: what identifies the value
        :param seconds: how long it may be used again
        :param read: the function
        :raises Unreadable: if it takes too long
        """
        with self._lock:
            future, until = self._kept.pop(key, (None, 0.0))
            if future is None or (future.done() and (future.exception() or time.monotonic() > until)):
                future, until = self._pool.submit(read), time.monotonic() + seconds
            self._kept[key] = future, until
            while len(self._kept) > _AT_ONCE:
                self._kept.popitem(last=False)
        return self._wait(future)

    def open(self, uri: str) -> Any:
        """
        Open a file.

        :param uri: its address
        :raises Unreadable: if it can't be opened, or that takes too long
        """
        return self._wait(self._pool.submit(_open, uri))

    @staticmethod
    def _wait(future: Future[Any]) -> Any:
        try:
            return future.result(_PATIENCE)
        except NotInTime:
            raise Unreadable(f"The store has not answered within {_PATIENCE:.0f} seconds.") from None


_reads = _Reads()
# The connections with which stores were opened; Airflow would use the old ones as long as the server runs.
_connections: dict[tuple[str, str], str] = {}


def result_key(uri: str) -> str:
    """Return what stands for the address of a result in the address of its download."""
    return hashlib.sha256(uri.encode(errors="surrogatepass")).hexdigest()[:32]


def read_documents(task: Task, summary: Summary) -> Documents | None:
    """
    Return what has become of the documents of a batch, None if it has not listed them yet.

    :param task: the batch's task
    :param summary: what the task has told of itself; of an earlier run, if it has told nothing yet
    :raises Unreadable: if that can't be read
    """
    run = Run(task.run_id, task.max_tries)
    if not task.is_active and summary.report and summary.run in ("", task.run_id):
        this = (summary.report, task.end_date, task.try_number)
        found: Documents | None = _reads.get(this, _KEPT_ENDED, lambda: _read_report(summary.report))
        if found or not summary.record:
            return found
    if not summary.record:
        return None
    key = (summary.record, summary.record_task, run)
    recorded: Documents | None = _reads.get(key, _KEPT_RUNNING, lambda: _read_record(summary, run))
    return recorded


def open_result(uri: str) -> Any:
    """
    Open a result for reading.

    :param uri: its address, which must come from a report
    :raises Unreadable: if it can't be read
    """
    try:
        return _reads.open(uri)
    except FileNotFoundError:
        raise Unreadable(f"{uri} is no longer there.") from None


def pieces(file: Any) -> Generator[bytes]:
    """Return the content of a file piece by piece, and close it."""
    with file:
        while piece := file.read(1 << 20):
            yield piece


def as_json(line: ReportLine) -> dict[str, Any]:
    """Return a line as plain JSON values that can be shown as they are."""
    folder, slash, name = line.source.rpartition("/")
    shown: dict[str, Any] = {
        "folder": visible(folder + slash),
        "name": visible(name),
        "state": line.state,
        "target_format": visible(line.target_format),
        "size": line.size,
        "attempts": line.attempts,
        "lost_replies": line.lost_replies,
        "refused_before": line.refused_before,
        "source_gone": line.source_gone,
        "left_at_service": line.left_at_service,
        "more_results": line.more_results,
        "operation_id": visible(line.operation_id) if line.operation_id else None,
        "seconds_at_service": line.seconds_at_service,
        "seconds_waited": line.seconds_waited,
        "error": visible(sentence(line.error)) if line.error else None,
        "error_type": visible(line.error_type) if line.error_type else None,
        "remedy": visible(sentence(line.remedy)) if line.remedy else None,
        "results": [
            {
                "name": visible(result["uri"].rpartition("/")[2]),
                "uri": visible(result["uri"]),
                "size": result["size"],
                "sha256": visible(result["sha256"]),
                "key": result_key(result["uri"]),
            }
            for result in line.results
        ],
    }
    return shown


def count_states(lines: Sequence[ReportLine]) -> dict[str, int]:
    """Return how many documents are in each state, in the order of the page."""
    counts = Counter(line.state for line in lines)
    return {state.value: counts[state] for state in ORDER}


def choose(lines: Sequence[ReportLine], states: Sequence[str], name: str) -> list[ReportLine]:
    """
    Return lines in the order of the page.

    :param lines: all lines
    :param states: the states to show, none for all
    :param name: a part of the documents' addresses
    """
    part = name.casefold()
    found = [
        line for line in lines if (not states or line.state in states) and (not part or part in line.source.casefold())
    ]
    return sorted(found, key=lambda line: ORDER.index(line.state))


def _read_report(uri: str) -> Documents | None:
    """Read a report in JSON Lines; None if there is none."""
    try:
        with _open(uri) as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    if len(content) > _LARGEST:
        raise Unreadable(f"The report is larger than {_LARGEST >> 20} MiB: {uri}")
    decoder = msgspec.json.Decoder(ReportLine)
    try:
        lines = [decoder.decode(line) for line in content.splitlines()]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"The report can't be read ({error}): {uri}") from None
    return Documents([line for line in lines if not line.source_gone], [line for line in lines if line.source_gone])


def _read_record(summary: Summary, run: Run) -> Documents | None:
    """Read what is known of each document of a run; None if the record does not know the run."""
    _prepare(summary.record)
    try:
        folder = to_path(summary.record)
        with store_errors(f"could not read the batch's record in {summary.record}"):
            folder.fs.invalidate_cache()
            size = folder.fs.du(folder.path) if folder.exists() else 0
        if size > _LARGEST:
            raise Unreadable(f"The record is larger than {_LARGEST >> 20} MiB: {summary.record}")
        known = Record(folder, summary.record_task).read()
    except Unreadable:
        raise
    except Exception as error:
        forget_store(summary.record)
        raise _unreadable(summary.record, error) from None
    if known.header is None or known.header.run != run.id:
        return None
    lines: list[ReportLine] = []
    gone: list[ReportLine] = []
    for request in known.requests:
        entry = known.own.get(request.key) or Entry(request.key, request.fingerprint)
        (gone if request.gone_since else lines).append(ReportLine.of(request, entry, run))
    return Documents(lines, gone)


def _open(uri: str) -> Any:
    _prepare(uri)
    try:
        return open_for_reading(to_path(uri))
    except FileNotFoundError:
        raise
    except Exception as error:
        forget_store(uri)
        raise _unreadable(uri, error) from None


def _prepare(uri: str) -> None:
    """
    Check that this server may read an address, and have its store opened anew if its connection has changed.

    :raises Unreadable: if not
    """
    address = urlsplit(uri)
    if address.scheme in LOCAL:
        return _require_shared(uri, address.path)
    conn_id = address.netloc.rpartition("@")[0]
    if not conn_id:
        return None
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        # Some drivers would try without any, and keep doing so once it is there.
        raise Unreadable(f"This server does not know the connection {conn_id}, which {uri} needs.") from None
    except Exception as error:
        raise _unreadable(uri, error) from None
    described = hashlib.sha256(connection.get_uri().encode()).hexdigest()
    if _connections.get((address.scheme, conn_id)) not in (None, described):
        forget_store(uri)
    _connections[address.scheme, conn_id] = described
    return None


def _require_shared(uri: str, path: str) -> None:
    """Refuse files of this machine, which Dags may name as they like, except in folders that were opened to them."""
    file = Path(path).resolve()
    folders = conf.get("docconv", "shared_folders", fallback="").split(",")
    if not any(file.is_relative_to(Path(folder.strip()).resolve()) for folder in folders if folder.strip()):
        raise Unreadable(
            f"{uri} is a file of the machine that the task ran on. If this server has the same files, name their "
            "folder in its configuration: [docconv] shared_folders"
        )


def _unreadable(uri: str, error: Exception) -> Unreadable:
    if isinstance(error, DocConvError):
        return Unreadable(f"This server {error.what}.")
    return Unreadable(f"This server could not read {uri} ({explain(error)}).")
