"""Starts an operation once: a conversion, a split or a merge."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import msgspec

from airflow_provider_docconv.exceptions import task_errors
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.links.docconv import publish_links
from airflow_provider_docconv.polling import SECOND_LOOK
from airflow_provider_docconv.services.documents import Document, PresentationToMerge, RemoteDocument
from airflow_provider_docconv.services.errors import DocConvError, Handling, StartReplyLost
from airflow_provider_docconv.services.operations import OperationState, Started
from airflow_provider_docconv.services.options import (
    fingerprint,
    read_options,
    require_mapping,
    slide_numbers,
    without_passwords,
)
from airflow_provider_docconv.services.slides.options import MergeSource
from airflow_provider_docconv.task_state import StartRecord, TaskState, max_tries, task_state
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.transfer.addresses import read_address, write_remote
from airflow_provider_docconv.transfer.source import open_source
from airflow_provider_docconv.worker.lineage import File, Lineage
from airflow_provider_docconv.worker.metrics import Metrics, measuring

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath


class Starting(Protocol):
    """What is read of any operator that starts an operation."""

    conn_id: str
    options: Mapping[str, Any] | None
    on_lost_reply: Literal["fail", "start_again"]
    lineage: Lineage | None

    @property
    def log(self) -> Any:
        """The task's log."""


class StartingConversion(Starting, Protocol):
    """What is read of a ``StartConversionOperator`` or a ``SplitPresentationOperator``."""

    source: str | ObjectStoragePath
    target_format: str


class StartingMerge(Starting, Protocol):
    """What is read of a ``MergePresentationsOperator``."""

    sources: Sequence[str | ObjectStoragePath | MergeSource]


Opened = TypeVar("Opened")


class _Start(ABC, Generic[Opened]):
    """
    One run of an operator that starts an operation.

    :param operator: the operator
    :param context: the task's context
    """

    def __init__(self, operator: Starting, context: Context) -> None:
        self.operator = operator
        self._context = context

    def run(self) -> str:
        """
        Start the operation, or resume the one that an earlier try started, and return its id.

        :raises DocConvError: if it could not be started
        """
        operator = self.operator
        with task_errors(self.subject(), self.operator.conn_id):
            require_mapping(operator.options or {}, "options")
            hook = DocConvHook.for_connection(operator.conn_id)
            publish_links(operator, self._context, service=hook.service_url)
            with measuring(hook, self._context["ti"]) as metrics:
                return self._run(hook, metrics)

    @abstractmethod
    def subject(self) -> str:
        """Describe what the operation is about, for messages."""

    @abstractmethod
    def open(self, hook: DocConvHook) -> Opened:
        """
        Open what is to be sent.

        :raises DocConvError: if it can't be opened
        """

    @abstractmethod
    def identify(self, opened: Opened) -> dict[str, object]:
        """Return what distinguishes this operation from another, besides connection and options; without secrets."""

    @abstractmethod
    def send(self, hook: DocConvHook, opened: Opened) -> Started:
        """
        Send the start.

        :raises DocConvError: if the operation could not be started
        """

    @abstractmethod
    def sources(self, opened: Opened) -> list[tuple[str, Document | RemoteDocument]]:
        """Return the documents with their addresses."""

    def _run(self, hook: DocConvHook, metrics: Metrics) -> str:
        opened = self.open(hook)
        lineage = self.operator.lineage = Lineage(hooks=[hook], inputs=self._inputs(opened))
        state, wanted = task_state(self._context), self._record(opened)
        earlier = self._earlier(hook, StartRecord.read(state), wanted)
        if earlier is None:
            wanted.write(state)
            record = self._start(hook, opened, state, wanted)
            metrics.sent(sum(getattr(document, "size", None) or 0 for _, document in self.sources(opened)))
        else:
            record = msgspec.structs.replace(earlier, max_tries=wanted.max_tries)
        record.write(state)
        lineage.operation_id, lineage.inputs = record.operation_id, self._inputs(opened)
        for key in ("source_sha256", "remote_source"):
            if value := getattr(record, key):
                self._context["ti"].xcom_push(key=key, value=value)
        return str(record.operation_id)

    def _inputs(self, opened: Opened) -> list[File]:
        return [File.of(address, document) for address, document in self.sources(opened)]

    def _record(self, opened: Opened) -> StartRecord:
        operator = self.operator
        options = without_passwords(operator.options)
        found = fingerprint(**self.identify(opened), conn_id=operator.conn_id, options=options)
        return StartRecord(found, max_tries(self._context))

    def _earlier(self, hook: DocConvHook, before: StartRecord | None, wanted: StartRecord) -> StartRecord | None:
        """Return the record of an earlier try, if its operation is to be resumed."""
        if before is None:
            return None
        log, operation_id = self.operator.log, before.operation_id
        # A Clear raises max_tries, and a person who clears the task wants a new operation.
        superseded = before.fingerprint != wanted.fingerprint or before.max_tries != wanted.max_tries
        if operation_id is None:
            if not superseded and self.operator.on_lost_reply == "fail":
                raise StartReplyLost("an earlier try sent a start and ended before its reply came")
            return None
        if superseded:
            log.info("Cancelling superseded operation %s", operation_id)
            hook.cancel_if_running(operation_id)
            return None
        if _is_unknown(hook, operation_id):
            log.info("Operation %s of an earlier try has expired; starting a new one", operation_id)
            return None
        log.info("Resuming operation %s, started by an earlier try", operation_id)
        return before

    def _start(self, hook: DocConvHook, opened: Opened, state: TaskState, wanted: StartRecord) -> StartRecord:
        try:
            started = self.send(hook, opened)
        except StartReplyLost as error:
            if self.operator.on_lost_reply == "start_again":
                error.handling = Handling.RETRY
            raise
        except DocConvError:
            StartRecord.delete(state)  # It certainly did not begin.
            raise
        label = hook.service.label
        self.operator.log.info("%s started operation %s for %s", label, started.operation_id, self.subject())
        remote = started.remote_source
        return msgspec.structs.replace(
            wanted,
            operation_id=started.operation_id,
            source_sha256=getattr(opened, "sha256", None),
            remote_source=write_remote(remote, hook.service) if remote else None,
        )


class StartConversion(_Start[Document | RemoteDocument]):
    """One run of a ``StartConversionOperator``."""

    operator: StartingConversion

    def subject(self) -> str:
        """Name the source."""
        return str(self.operator.source)

    def open(self, hook: DocConvHook) -> Document | RemoteDocument:
        """
        Open the source.

        :raises DocConvError: if it can't be opened
        """
        return open_source(read_address(self.operator.source, "source"), hook.service)

    def identify(self, opened: Document | RemoteDocument) -> dict[str, object]:
        """Return the source and the target format."""
        return {**_identify(self.operator.source, opened), "target_format": self.operator.target_format}

    def sources(self, opened: Document | RemoteDocument) -> list[tuple[str, Document | RemoteDocument]]:
        """Return the source."""
        return [(str(self.operator.source), opened)]

    def send(self, hook: DocConvHook, opened: Document | RemoteDocument) -> Started:
        """
        Start the conversion.

        :raises DocConvError: if it could not be started
        """
        return hook.start(opened, self.operator.target_format, self.operator.options)


class StartSplit(StartConversion):
    """One run of a ``SplitPresentationOperator``."""

    def send(self, hook: DocConvHook, opened: Document | RemoteDocument) -> Started:
        """
        Start the split.

        :raises DocConvError: if it could not be started
        """
        return hook.start_split(opened, self.operator.target_format, self.operator.options)


class StartMerge(_Start[list[PresentationToMerge]]):
    """One run of a ``MergePresentationsOperator``."""

    operator: StartingMerge

    def subject(self) -> str:
        """Name the first source and how many follow."""
        first, *others = [str(each["source"]) for each in self._sources()] or ["no document"]
        return f"{first} and {len(others)} more" if others else first

    def open(self, hook: DocConvHook) -> list[PresentationToMerge]:
        """
        Open the sources.

        :raises DocConvError: if one can't be opened
        """
        opened = []
        for number, each in enumerate(self._sources()):
            where = f"sources[{number}]"
            uri = read_address(each["source"], f"{where}.source")
            given = read_options(hook.service.label, {**each, "source": uri}, MergeSource, where)
            slides = tuple(slide_numbers(given.get("slides"), f"{where}.slides"))
            document = open_source(uri, hook.service)
            opened.append(PresentationToMerge(document, slides, given.get("password") or None))
        return opened

    def identify(self, opened: list[PresentationToMerge]) -> dict[str, object]:
        """Return the sources and their slides."""
        pairs = zip(self._sources(), opened, strict=True)
        return {"merge": [{**_identify(each["source"], one.document), "slides": one.slides} for each, one in pairs]}

    def sources(self, opened: list[PresentationToMerge]) -> list[tuple[str, Document | RemoteDocument]]:
        """Return the sources."""
        pairs = zip(self._sources(), opened, strict=True)
        return [(str(each["source"]), one.document) for each, one in pairs]

    def send(self, hook: DocConvHook, opened: list[PresentationToMerge]) -> Started:
        """
        Start the merge.

        :raises DocConvError: if it could not be started
        """
        return hook.start_merge(opened, self.operator.options)

    def _sources(self) -> list[dict[str, Any]]:
        """Return each source as a mapping."""
        sources: Any = self.operator.sources
        listed = isinstance(sources, Sequence) and not isinstance(sources, str)
        given = [each if isinstance(each, Mapping) else {"source": each} for each in (sources if listed else [sources])]
        return [{"source": None} | {str(key).lower(): value for key, value in each.items()} for each in given]


def _is_unknown(hook: DocConvHook, operation_id: str) -> bool:
    """Tell whether the service does not know an operation, and still says so a minute later."""
    if hook.get_operation(operation_id).state is not OperationState.NOT_FOUND:
        return False
    time.sleep(delay(SECOND_LOOK))
    return hook.get_operation(operation_id).state is OperationState.NOT_FOUND


def _identify(source: object, document: Document | RemoteDocument) -> dict[str, object]:
    """Return what distinguishes a source from another one, and from an earlier version of itself."""
    return {"source": str(source), "size": getattr(document, "size", None), "version": document.version}
