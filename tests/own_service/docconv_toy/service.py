"""The protocol of the toy service: it builds requests and reads replies, and sends nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypedDict

from docconv_toy import TOY

from airflow_provider_docconv.services.bodies import FilePart, MultipartBody
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.http import Call, Flow, Request, path_segment, query
from airflow_provider_docconv.services.operations import (
    Operation,
    OperationState,
    ResultFile,
    Started,
    printable,
    read_started,
    read_status,
    state_of,
)
from airflow_provider_docconv.services.service import ConversionService

_STATES = {
    "waiting": OperationState.QUEUED,
    "working": OperationState.RUNNING,
    "done": OperationState.SUCCEEDED,
    "broken": OperationState.FAILED,
    "stopped": OperationState.CANCELED,
}


class ToyOptions(TypedDict, total=False):
    """The options of a conversion, by the service's own names."""

    title: str
    style: Literal["plain", "bold"]


class Toy(ConversionService):
    """Converts texts to HTML."""

    info = TOY
    options_type = ToyOptions
    source_formats: ClassVar[frozenset[str]] = frozenset({"txt"})
    target_formats: ClassVar[frozenset[str]] = frozenset({"html"})
    can_cancel = True

    @staticmethod
    def is_own_error(value: Mapping[str, Any], status: int) -> bool:
        """Tell whether it is ``{"code": "T…", "message": "…"}``; a proxy's error says nothing about a document."""
        return str(value.get("code")).startswith("T")

    def check_access(self) -> Flow[None]:
        """Ask for a job that does not exist, which costs nothing: the service must know that, and accept the key."""
        self.vendor.require_access((yield Request("GET", self._job("none"))))

    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """Send the document with ``POST /jobs``, which answers ``{"job": "…"}``."""
        given = self.check(target_format, options)
        if isinstance(source, RemoteDocument):
            raise InvalidOptions(f"{self.label} has no storage for documents", document=source.path)
        reply = yield Request(
            "POST",
            "/jobs",
            query(to=target_format, team=self.extra.get("team"), **given),
            body=MultipartBody([FilePart(source, "document", source.name)]),
            repeatable=False,  # It may have begun, and may be billed: only what surely did not arrive is sent again.
        )
        return read_started(reply, self.vendor, key="job")

    def status(self, operation_id: str) -> Flow[Operation]:
        """Get ``/jobs/{id}``, which answers ``{"state": "…", "why": "…"}``."""
        reply = yield Request("GET", self._job(operation_id))
        if self.vendor.says_not_found(reply):
            return Operation(operation_id, OperationState.NOT_FOUND, "404", reply.message())
        value = self.vendor.require_success(reply, Call.STATUS, operation_id).json_object(self.label)
        word = read_status(value.get("state"), self.label)
        return Operation(operation_id, state_of(word, _STATES), word, printable(value.get("why")))

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Return the one file of ``/jobs/{id}/result``."""
        return [ResultFile(operation_id, Request("GET", f"{self._job(operation_id)}/result"))]
        yield  # makes it a flow like the others

    def cancel(self, operation_id: str) -> Flow[bool]:
        """Stop it with ``DELETE``."""
        reply = yield Request("DELETE", self._job(operation_id))
        if not self.vendor.says_not_found(reply):
            self.vendor.require_success(reply, Call.OTHER, operation_id)
        return True

    def _job(self, operation_id: str) -> str:
        return f"/jobs/{path_segment(operation_id)}"
