"""The operators that start an operation: a conversion, a merge or a split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypedDict, TypeVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_docconv.links.docconv import ServiceLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import Document, PresentationToMerge, StoredDocument
    from airflow_provider_docconv.task_state import StartRecord, StartRecords

Opened = TypeVar("Opened")


class StartOperator(BaseOperator, Generic[Opened]):
    """
    Starts an operation and returns its id.

    The operation id is written down before anything else happens: a retry goes on with the operation of the try
    before. Clearing the task after it has succeeded starts a new operation.

    The SHA-256 of a single document that was sent, in hexadecimal, is the XCom ``source_sha256``. Where it was sent to
    the vendor's storage, ``uploaded`` is its address there.

    :param conn_id: connection to the service (templated)
    :param options: options by the vendor's parameter names, see the service's page in the docs (templated)
    :param on_lost_reply: what a retry does if a start was sent and its reply never came, so that nobody knows
        whether the operation goes on (and is billed): ``"fail"``, or ``"start_again"`` at the risk of paying twice
    """

    template_fields: Sequence[str] = ("conn_id", "options")
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json"}
    operator_extra_links = (ServiceLink(),)
    ui_color = "#d5e8fa"

    def __init__(
        self,
        *,
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_lost_reply not in ("fail", "start_again"):
            raise ValueError(f"on_lost_reply is 'fail' or 'start_again', not {on_lost_reply!r}")
        self.conn_id = conn_id
        self.options = options
        self.on_lost_reply = on_lost_reply

    def execute(self, context: Context) -> str:
        """
        Start the operation, or go on with the one that an earlier try started.

        :raises DocConvError: if it could not be started, of the type that says what to do
        """
        from airflow_provider_docconv.exceptions import task_errors
        from airflow_provider_docconv.hooks.docconv import DocConvHook
        from airflow_provider_docconv.services.options import require_mapping
        from airflow_provider_docconv.task_state import StartRecords, task_state

        with task_errors(self.subject()):
            require_mapping(self.options or {}, "options")
            hook = DocConvHook.for_connection(self.conn_id)
            self.service_url = hook.service_url
            opened = self.open(hook)
            records, wanted = StartRecords(task_state(context)), self._record(context, hook, opened)
            earlier = self._earlier(hook, records, wanted)
            if earlier is None:
                records.write(wanted)
                operation_id = self._start(hook, opened, records)
                record = replace(wanted, operation_id=operation_id, source_sha256=getattr(opened, "sha256", None))
            else:
                record = replace(earlier, max_tries=wanted.max_tries)
            records.write(record)
            for key in ("source_sha256", "uploaded"):
                if value := getattr(record, key):
                    context["ti"].xcom_push(key=key, value=value)
            return str(record.operation_id)

    @abstractmethod
    def subject(self) -> str:
        """Name what the operation is about, for messages."""

    @abstractmethod
    def open(self, hook: DocConvHook) -> Opened:
        """
        Find what is to be sent.

        :raises DocConvError: if it is not there
        """

    @abstractmethod
    def identify(self, opened: Opened) -> dict[str, object]:
        """Say what makes this operation differ from another, beside connection and options; without secrets."""

    @abstractmethod
    def send(self, hook: DocConvHook, opened: Opened) -> str:
        """
        Start the operation and return its id.

        :raises DocConvError: if it could not be started
        """

    def uploaded(self, hook: DocConvHook, opened: Opened) -> str | None:
        """
        Give the address in the vendor's storage to which a start sends the document, None if it sends none there.

        :raises InvalidOptions: if the service has no such option
        """
        return None

    def _record(self, context: Context, hook: DocConvHook, opened: Opened) -> StartRecord:
        from airflow_provider_docconv.task_state import StartRecord, fingerprint, max_tries, without_passwords

        found = fingerprint(**self.identify(opened), conn_id=self.conn_id, options=without_passwords(self.options))
        return StartRecord(found, max_tries(context), uploaded=self.uploaded(hook, opened))

    def _earlier(self, hook: DocConvHook, records: StartRecords, wanted: StartRecord) -> StartRecord | None:
        """Return the record of an earlier try if this one goes on with its operation."""
        from airflow_provider_docconv.services.errors import StartReplyLost
        from airflow_provider_docconv.services.operations import OperationState
        from airflow_provider_docconv.task_state import Decision

        before = records.read()
        decision = wanted.decide(before)
        if decision is Decision.REPLY_LOST and self.on_lost_reply == "fail":
            raise StartReplyLost("an earlier try sent the start and ended before the reply came")
        if before is None or before.operation_id is None:
            return None
        if decision is Decision.START:
            self.log.info("Operation %s of an earlier run of this task is not wanted any more", before.operation_id)
            hook.give_up(before.operation_id)
            return None
        if hook.get_operation(before.operation_id).state is OperationState.NOT_FOUND:
            self.log.info("Operation %s of an earlier try has expired; starting anew", before.operation_id)
            return None
        self.log.info("Going on with operation %s that an earlier try started", before.operation_id)
        return before

    def _start(self, hook: DocConvHook, opened: Opened, records: StartRecords) -> str:
        from airflow_provider_docconv.services.errors import DocConvError, Handling, StartReplyLost

        try:
            operation_id = self.send(hook, opened)
        except StartReplyLost as error:
            if self.on_lost_reply == "start_again":
                error.handling = Handling.RETRY
            raise
        except DocConvError:
            records.clear()  # It surely has not begun.
            raise
        self.log.info("%s started operation %s for %s", hook.fields.label, operation_id, self.subject())
        return operation_id


def identify_source(source: object, document: Document | StoredDocument) -> dict[str, object]:
    """Say what makes a source differ from another, and from what it was before."""
    return {"source": str(source), "size": getattr(document, "size", None), "version": document.version}


class StartConversionOperator(StartOperator["Document | StoredDocument"]):
    """
    Starts a conversion and returns the operation id.

    The operation id is written down before anything else happens: a retry goes on with the operation of the try
    before. Clearing the task after it has succeeded starts a new conversion.

    The SHA-256 of a document that was sent, in hexadecimal, is the XCom ``source_sha256``. Where it was sent to the
    vendor's storage, because the options want it there, ``uploaded`` is its address.

    :param source: the document: anything that ``ObjectStoragePath`` takes, or ``aspose-slides://storage/path`` and
        ``groupdocs-conversion://storage/path`` for one in the vendor's storage (templated)
    :param target_format: the format to convert to, as the vendor names it (templated)
    :param conn_id: connection to the service (templated)
    :param options: options by the vendor's parameter names, see the service's page in the docs (templated). Give a
        document's password as a template, ``{"password": "{{ conn.deck_password.password }}"}``, to keep it out of
        the Dag file
    :param on_lost_reply: what a retry does if a start was sent and its reply never came, so that nobody knows
        whether it is being converted (and billed): ``"fail"``, or ``"start_again"`` at the risk of paying twice
    """

    template_fields: Sequence[str] = ("source", "target_format", "conn_id", "options")

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath,
        target_format: str,
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, options=options, on_lost_reply=on_lost_reply, **kwargs)
        self.source = source
        self.target_format = target_format

    def subject(self) -> str:
        """Name the source."""
        return str(self.source)

    def open(self, hook: DocConvHook) -> Document | StoredDocument:
        """
        Find the source.

        :raises DocConvError: if it is not there
        """
        from airflow_provider_docconv.transfer.addresses import read_address
        from airflow_provider_docconv.transfer.source import open_source

        return open_source(read_address(self.source, "source"), hook.fields)

    def identify(self, opened: Document | StoredDocument) -> dict[str, object]:
        """Say which document becomes what."""
        return {**identify_source(self.source, opened), "target_format": self.target_format}

    def send(self, hook: DocConvHook, opened: Document | StoredDocument) -> str:
        """
        Start the conversion.

        :raises DocConvError: if it could not be started
        """
        return hook.start(opened, self.target_format, self.options)

    def uploaded(self, hook: DocConvHook, opened: Document | StoredDocument) -> str | None:
        """
        Give the address in the vendor's storage to which the source is sent, None if it is not.

        :raises InvalidOptions: if the service has no such option
        """
        from airflow_provider_docconv.services.documents import Document
        from airflow_provider_docconv.transfer.addresses import write_stored

        stored = hook.upload_of(opened, self.options) if isinstance(opened, Document) else None
        return write_stored(stored, hook.fields) if stored else None


class MergeSource(TypedDict, total=False):
    """
    A document to merge, with more to say than its address.

    ``source``: its address. ``slides``: the numbers of the slides to take, from 1, in this order, as a list or
    ``"1,3"``; all where it is missing. ``password``: opens it.
    """

    source: str
    slides: Sequence[int] | int | str
    password: str


class MergeDocumentsOperator(StartOperator["list[PresentationToMerge]"]):
    """
    Starts to merge presentations into one pptx and returns the operation id.

    Wait for it with ``ConversionSensor`` and fetch it with ``DownloadResultOperator``, as a conversion. What is written
    down, and what a retry and a Clear do, are the same as well.

    :param sources: what to merge, in this order: each an address as in ``StartConversionOperator``, or a mapping with
        ``source``, ``slides`` and ``password`` (templated)
    :param conn_id: connection to the service (templated)
    :param options: ``storage`` and ``outPath``: where the result is saved in the vendor's storage, instead of being
        kept for a download (templated)
    :param on_lost_reply: as in ``StartConversionOperator``
    """

    template_fields: Sequence[str] = ("sources", "conn_id", "options")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sources": "json", "options": "json"}
    ui_color = "#f7e6d5"

    def __init__(
        self,
        *,
        sources: Sequence[str | ObjectStoragePath | MergeSource],
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, options=options, on_lost_reply=on_lost_reply, **kwargs)
        self.sources = sources

    def subject(self) -> str:
        """Name the first source and how many follow."""
        first, *others = [str(each["source"]) for each in self._sources()] or ["no document"]
        return f"{first} and {len(others)} more" if others else first

    def open(self, hook: DocConvHook) -> list[PresentationToMerge]:
        """
        Find the sources.

        :raises DocConvError: if one is not there
        """
        from airflow_provider_docconv.services.documents import PresentationToMerge
        from airflow_provider_docconv.services.options import read_options, slide_numbers
        from airflow_provider_docconv.transfer.addresses import read_address
        from airflow_provider_docconv.transfer.source import open_source

        opened = []
        for number, each in enumerate(self._sources()):
            where = f"sources[{number}]"
            uri = read_address(each["source"], f"{where}.source")
            given = read_options(hook.fields.label, {**each, "source": uri}, MergeSource, where)
            slides = tuple(slide_numbers(given.get("slides"), f"{where}.slides"))
            document = open_source(uri, hook.fields)
            opened.append(PresentationToMerge(document, slides, given.get("password") or None))
        return opened

    def identify(self, opened: list[PresentationToMerge]) -> dict[str, object]:
        """Say which documents, and which of their slides, are merged."""
        pairs = zip(self._sources(), opened, strict=True)
        return {
            "merge": [{**identify_source(each["source"], one.document), "slides": one.slides} for each, one in pairs]
        }

    def send(self, hook: DocConvHook, opened: list[PresentationToMerge]) -> str:
        """
        Start the merge.

        :raises DocConvError: if it could not be started
        """
        return hook.start_merge(opened, self.options)

    def _sources(self) -> list[dict[str, Any]]:
        """Give each source as a mapping."""
        listed = isinstance(self.sources, Sequence) and not isinstance(self.sources, str)
        values = self.sources if listed else [self.sources]
        given = [each if isinstance(each, Mapping) else {"source": each} for each in values]
        return [{"source": None} | {str(key).lower(): value for key, value in each.items()} for each in given]


class SplitDocumentOperator(StartConversionOperator):
    """
    Starts to split a presentation and returns the operation id; the result is a ZIP with a file per slide.

    Wait for it with ``ConversionSensor`` and fetch it with ``DownloadResultOperator``, as a conversion. Its parameters
    are those of :class:`StartConversionOperator`: ``target_format`` is the format of the files, and ``options`` are
    ``from``, ``to``, ``width``, ``height``, ``destFolder``, ``password``, ``fontsFolder``, ``storage`` and
    ``exportOptions``. With ``destFolder`` the files stay in the vendor's storage.
    """

    ui_color = "#e4dcf7"

    def send(self, hook: DocConvHook, opened: Document | StoredDocument) -> str:
        """
        Start the split.

        :raises DocConvError: if it could not be started
        """
        return hook.start_split(opened, self.target_format, self.options)
