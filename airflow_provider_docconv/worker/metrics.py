"""
Counts what tasks do in Airflow's own metrics: StatsD, Datadog or OpenTelemetry, whichever Airflow is configured for.

Each pass of a task through a worker counts what it has added, so that nothing counts twice over deferrals and tries.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_docconv.batch.record import DocumentState
from airflow_provider_docconv.compat import AirflowTaskTimeout, Stats, TaskDeferred
from airflow_provider_docconv.services.errors import (
    DeadlineExceeded,
    DocConvError,
    Handling,
    OperationNotFound,
    ResultRejected,
    StartReplyLost,
)

if TYPE_CHECKING:
    from airflow_provider_docconv.batch.batch import Batch, Document
    from airflow_provider_docconv.hooks.docconv import DocConvHook

# What a backend may refuse in a tag.
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]")
# These reject no document, although another try would end in the same way.
_NOT_REJECTED = (DeadlineExceeded, OperationNotFound, ResultRejected, StartReplyLost)
_FINAL = (DocumentState.REJECTED, DocumentState.FAILED)


class Metrics:
    """
    The metrics of a connection.

    :param hook: the connection's hook
    """

    def __init__(self, hook: DocConvHook) -> None:
        self._log = hook.log
        self._tags = {"connection": _UNUSUAL.sub("_", hook.conn_id), "service": hook.service.name}

    def documents(self, state: DocumentState, number: int = 1) -> None:
        """Count documents whose state is final."""
        self._count("documents", "state", state, number)

    def calls(self, calls: Mapping[str, int]) -> None:
        """Count calls to the service, by kind."""
        for kind, number in calls.items():
            self._count("calls", "kind", kind, number)

    def sent(self, size: int) -> None:
        """Count bytes of documents that the service has taken."""
        self._count("bytes", "direction", "sent", size)

    def received(self, size: int) -> None:
        """Count bytes of results that were delivered."""
        self._count("bytes", "direction", "received", size)

    def seconds_at_service(self, seconds: float) -> None:
        """Count the time that conversions took."""
        self._increment("seconds_at_service", round(seconds, 3), {})

    def _count(self, name: str, tag: str, value: str, number: int) -> None:
        self._increment(name, number, {tag: str(value)})
        # StatsD has no tags: there, the name above is the total.
        self._increment(f"{name}.{value}", number, {})

    def _increment(self, name: str, number: float, tags: Mapping[str, str]) -> None:
        if number <= 0:
            return
        count: Any = number  # Airflow's annotation says int, and its backends take any number.
        try:
            Stats.incr(f"docconv.{name}", count, tags={**tags, **self._tags})
        except Exception as error:  # Whatever the backend raises: a number is not worth a task.
            self._log.warning("Could not count docconv.%s: %s", name, error)


@contextmanager
def measuring(hook: DocConvHook, ti: Any, *, ends_at_any_error: bool = False) -> Iterator[Metrics]:
    """
    Count the calls of a task about a single document, and the document if the task fails for good.

    :param hook: the connection's hook
    :param ti: the task instance
    :param ends_at_any_error: whether the task is skipped instead of tried again
    """
    metrics, client = Metrics(hook), hook.get_conn()
    before = client.calls
    try:
        yield metrics
    except (DocConvError, AirflowTaskTimeout) as error:
        if ends_at_any_error or not _is_tried_again(error, ti):
            rejected = isinstance(error, DocConvError) and error.handling is Handling.REJECT
            rejected = rejected and not isinstance(error, _NOT_REJECTED)
            metrics.documents(DocumentState.REJECTED if rejected else DocumentState.FAILED)
        raise
    finally:
        metrics.calls(client.calls - before)


class BatchMetrics:
    """
    The metrics of a batch in one pass, from the time when its documents are listed; a context.

    :param batch: the batch, whose documents are listed
    :param hooks: the hooks of its connections, by connection id
    :param ti: the task instance
    """

    def __init__(self, batch: Batch, hooks: Mapping[str, DocConvHook], ti: Any) -> None:
        self._batch = batch
        self._ti = ti
        self._metrics = {conn_id: Metrics(hook) for conn_id, hook in hooks.items()}
        documents = batch.documents.items()
        # What an earlier pass of this run has counted. Skipped documents are listed anew by each try.
        before = {DocumentState.DELIVERED, *([DocumentState.SKIPPED] if batch.earlier else ())}
        self._counted = {key for key, each in documents if each.entry.state_in(batch.run) in before}
        self._sent = {each.entry.operation_id for _, each in documents}
        calls = batch.earlier.calls if batch.earlier else {}
        self._calls = defaultdict(Counter[str], {conn_id: Counter(counts) for conn_id, counts in calls.items()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.send()
        if not _is_tried_again(error, self._ti):
            for conn_id, metrics in self._metrics.items():
                states = Counter(each.entry.state_in(self._batch.run) for each in self._documents(conn_id))
                for state in _FINAL:
                    metrics.documents(state, states[state])

    def send(self) -> None:
        """Count what has been done since the last time. A failure is counted at the end: a retry may change it."""
        for conn_id, metrics in self._metrics.items():
            states: Counter[DocumentState] = Counter()
            sent, received, seconds = 0, 0, 0.0
            for each in self._documents(conn_id):
                entry, state = each.entry, each.entry.state_in(self._batch.run)
                if entry.operation_id not in self._sent:
                    self._sent.add(entry.operation_id)
                    sent += each.request.size or 0
                if state in _FINAL or not state.is_final or entry.key in self._counted:
                    continue
                self._counted.add(entry.key)
                states[state] += 1
                if state is DocumentState.DELIVERED:
                    received += sum(result["size"] for result in entry.results)
                    seconds += entry.ended - entry.started if entry.ended and entry.started else 0.0
            for state, number in states.items():
                metrics.documents(state, number)
            metrics.sent(sent)
            metrics.received(received)
            metrics.seconds_at_service(seconds)
            calls = Counter(self._batch.calls[conn_id])
            metrics.calls(calls - self._calls[conn_id])
            self._calls[conn_id] = calls

    def _documents(self, conn_id: str) -> Iterator[Document]:
        return (each for each in self._batch.documents.values() if each.request.conn_id == conn_id)


def _is_tried_again(error: BaseException | None, ti: Any) -> bool:
    """Tell whether a task that ends with an error, or without one, goes on in another pass or try."""
    if error is None or (isinstance(error, DocConvError) and not error.retryable):
        return False
    return isinstance(error, TaskDeferred) or ti.try_number <= ti.max_tries
