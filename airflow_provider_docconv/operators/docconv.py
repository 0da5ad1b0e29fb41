"""Starts conversions and fetches their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_docconv.links.docconv import ServiceLink
from airflow_provider_docconv.operators.batch import ConvertDocumentsOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.records import StartRecord, StartRecords
    from airflow_provider_docconv.services.documents import Document, StoredDocument
    from airflow_provider_docconv.storage import StoredResult

__all__ = ["ConvertDocumentsOperator", "DownloadResultOperator", "StartConversionOperator"]


class StartConversionOperator(BaseOperator):
    """
    Starts a conversion and returns the operation id.

    The operation id is written down before anything else happens: a retry goes on with the operation of the try
    before. Clearing the task after it has succeeded starts a new conversion.

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
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json"}
    operator_extra_links = (ServiceLink(),)
    ui_color = "#d5e8fa"

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath,
        target_format: str,
        conn_id: str,
        options: dict[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.target_format = target_format
        self.conn_id = conn_id
        self.options = options
        self.on_lost_reply = on_lost_reply

    def execute(self, context: Context) -> str:
        """
        Start the conversion, or go on with the one that an earlier try started.

        :raises DocConvError: if it could not be started, of the type that says what to do
        """
        from airflow_provider_docconv.exceptions import task_errors
        from airflow_provider_docconv.hooks.docconv import DocConvHook
        from airflow_provider_docconv.records import StartRecords
        from airflow_provider_docconv.storage import open_source
        from airflow_provider_docconv.task_state import task_state

        with task_errors(str(self.source)):
            hook = DocConvHook.for_connection(self.conn_id)
            self.service_url = hook.service_url
            document = open_source(str(self.source), hook.fields)
            records, wanted = StartRecords(task_state(context)), self._record(context, document)
            operation_id = self._earlier_operation(hook, records, wanted)
            if operation_id is None:
                records.write(wanted)
                operation_id = self._start(hook, document, records)
            records.write(replace(wanted, operation_id=operation_id))
            return operation_id

    def _record(self, context: Context, document: Document | StoredDocument) -> StartRecord:
        from airflow_provider_docconv.decisions import fingerprint, without_passwords
        from airflow_provider_docconv.records import StartRecord
        from airflow_provider_docconv.task_state import max_tries

        found = fingerprint(
            source=str(self.source),
            size=getattr(document, "size", None),
            version=document.version,
            target_format=self.target_format,
            conn_id=self.conn_id,
            options=without_passwords(self.options),
        )
        return StartRecord(found, max_tries(context))

    def _earlier_operation(self, hook: DocConvHook, records: StartRecords, wanted: StartRecord) -> str | None:
        """Return the operation of an earlier try if this one goes on with it."""
        from airflow_provider_docconv.decisions import Decision
        from airflow_provider_docconv.services.errors import StartReplyLost
        from airflow_provider_docconv.services.operations import OperationState

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
        return before.operation_id

    def _start(self, hook: DocConvHook, document: Document | StoredDocument, records: StartRecords) -> str:
        from airflow_provider_docconv.services.errors import DocConvError, Handling, StartReplyLost

        try:
            operation_id = hook.start(document, self.target_format, self.options or {})
        except StartReplyLost as error:
            if self.on_lost_reply == "start_again":
                error.handling = Handling.RETRY
            raise
        except DocConvError:
            records.clear()  # It surely has not begun.
            raise
        self.log.info("%s started operation %s for %s", hook.fields.label, operation_id, self.source)
        return operation_id


class DownloadResultOperator(BaseOperator):
    """
    Fetches what an operation made and returns ``[{"uri", "size", "sha256"}]``.

    A result streams to its destination and appears there whole or not at all. A ZIP of page images gets ``.zip``
    appended to its name.

    :param operation_id: the operation, which has ended (templated)
    :param conn_id: the connection it was started with (templated)
    :param destination: anything that ``ObjectStoragePath`` takes: a folder if it ends with ``/``, else the file
        (templated). Several results are numbered
    :param source: the document, to name it in messages and, in a folder, its result (templated)
    """

    template_fields: Sequence[str] = ("operation_id", "conn_id", "destination", "source")
    ui_color = "#d5f0e3"

    def __init__(
        self,
        *,
        operation_id: str,
        conn_id: str,
        destination: str | ObjectStoragePath,
        source: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.destination = destination
        self.source = source

    def execute(self, context: Context) -> list[StoredResult]:
        """
        Fetch the results.

        :raises DocConvError: if one could not be fetched or stored, of the type that says what to do
        """
        from airflow_provider_docconv.delivery import deliver
        from airflow_provider_docconv.exceptions import task_errors
        from airflow_provider_docconv.hooks.docconv import DocConvHook
        from airflow_provider_docconv.services.operations import given_operation_id
        from airflow_provider_docconv.storage import Destination

        with task_errors(self.source):
            hook = DocConvHook.for_connection(self.conn_id)
            operation_id = given_operation_id(self.operation_id)
            stem = PurePosixPath(self.source).stem if self.source else None
            destination = Destination(str(self.destination), hook.fields.label, stem)
            results = deliver(hook, operation_id, destination, self.log)
            for result in results:
                self.log.info("Stored %s (%d bytes, SHA-256 %s)", result["uri"], result["size"], result["sha256"])
            return results
