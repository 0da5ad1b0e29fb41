"""What starts an operation once, whatever it is: a conversion, a merge or a split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_docconv.links.docconv import ServiceLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.records import StartRecord, StartRecords
    from airflow_provider_docconv.services.documents import Document, StoredDocument

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
        from airflow_provider_docconv.records import StartRecords
        from airflow_provider_docconv.services.options import require_mapping
        from airflow_provider_docconv.task_state import task_state

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
        from airflow_provider_docconv.decisions import fingerprint, without_passwords
        from airflow_provider_docconv.records import StartRecord
        from airflow_provider_docconv.task_state import max_tries

        found = fingerprint(**self.identify(opened), conn_id=self.conn_id, options=without_passwords(self.options))
        return StartRecord(found, max_tries(context), uploaded=self.uploaded(hook, opened))

    def _earlier(self, hook: DocConvHook, records: StartRecords, wanted: StartRecord) -> StartRecord | None:
        """Return the record of an earlier try if this one goes on with its operation."""
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
