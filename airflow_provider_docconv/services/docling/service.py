"""
docling-serve, the server of the open-source Docling, which everyone hosts for themselves: ``/v1/convert/file/async``.

Facts: docling-serve 1.38, its source and a running one. A document that it could not convert still ends as ``success``;
only the result says ``failure``. A result is deleted five minutes after it was fetched first (by default). ``wait=`` of
the status call is ignored by its usual engine. It can't cancel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

from airflow_provider_docconv.services.bodies import FilePart, MultipartBody, ObjectField, StringField, TextField
from airflow_provider_docconv.services.catalog import DOCLING_SERVE
from airflow_provider_docconv.services.docling.options import DoclingOptions
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    InvalidOptions,
    TruncatedResult,
    UnexpectedReply,
)
from airflow_provider_docconv.services.http import Call, Flow, Request, path_segment
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

_LABEL = DOCLING_SERVE.label
_JSON = {"Accept": "application/json"}
_NO_TASK = "00000000-0000-0000-0000-000000000000"
_STATES = {
    "pending": OperationState.QUEUED,
    "started": OperationState.RUNNING,
    "success": OperationState.SUCCEEDED,
    # The server's own fault or limit, which says nothing of the document: it must not be refused for good.
    "failure": OperationState.CANCELED,
}
# Each target format in the service's words, and the field of the result that has it.
_FORMATS = {
    "md": ("md", "md_content"),
    "html": ("html", "html_content"),
    "txt": ("text", "text_content"),
    "json": ("json", "json_content"),
    "doctags": ("doctags", "doctags_content"),
}


class DoclingServe(ConversionService):
    """
    Converts office documents, PDFs, web pages and images to text for people and models.

    An operation id is the server's task id with the target format after it (``0b9c….md``), because the result has one
    field for each format, and no name.
    """

    info = DOCLING_SERVE
    options_type = DoclingOptions
    source_formats: ClassVar[frozenset[str]] = frozenset(
        "pdf docx docm dotx dotm doc dot rtf pptx pptm potx potm ppsx ppsm ppt pot pps xlsx xlsm xltx xltm xls xlt odt "
        "ott ods ots odp html htm xhtml mhtml mht md markdown adoc asciidoc csv tex latex epub eml msg vtt jpg jpeg "
        "png tif tiff bmp webp gif".split()
    )
    target_formats: ClassVar[frozenset[str]] = frozenset(_FORMATS)

    @staticmethod
    def is_own_error(value: Mapping[str, Any], status: int) -> bool:
        """Tell whether it is ``{"detail": …}``; for an unknown path, any server of that framework says the same."""
        detail = value.get("detail")
        if status in (404, 405):
            return isinstance(detail, str) and detail.startswith("Task ")
        return isinstance(detail, str | list)

    def check_access(self) -> Flow[None]:
        """Ask for a task that can't exist: the server must know that, and accept the key."""
        self.vendor.require_access((yield Request("GET", f"/v1/status/poll/{_NO_TASK}", headers=_JSON)))

    def check(self, target_format: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Check them, and that a range of pages is one."""
        given = super().check(target_format, options)
        pages = given.get("page_range")
        if pages is not None and not (len(pages) == 2 and 1 <= pages[0] <= pages[1]):
            raise InvalidOptions(f"page_range must be the first and the last page, from 1, not {pages}")
        return given

    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """Start with ``POST`` and a form of the document and the options."""
        given = self.check(target_format, options)
        if isinstance(source, RemoteDocument):
            raise InvalidOptions(f"{self.label} has no storage for documents", document=source.path)
        kind = target_format.lower()
        fields = [("to_formats", _FORMATS[kind][0]), ("target_type", "inbody"), *_form_fields(given)]
        body = MultipartBody([FilePart(source, "files", source.name)], fields=fields)
        reply = yield Request("POST", "/v1/convert/file/async", headers=_JSON, body=body, repeatable=False)
        started = read_started(reply, self.vendor, key="task_id")
        return Started(f"{started.operation_id}.{kind}")

    def status(self, operation_id: str) -> Flow[Operation]:
        """Get ``/v1/status/poll/{id}``; a success may still be one of a document that failed."""
        reply = yield Request("GET", f"/v1/status/poll/{path_segment(_Task.of(operation_id).id)}", headers=_JSON)
        if self.vendor.says_not_found(reply):
            return Operation(operation_id, OperationState.NOT_FOUND, "404", reply.message())
        value = self.vendor.require_success(reply, Call.STATUS, operation_id).json_object(self.label)
        vendor_status = read_status(value.get("task_status"), self.label)
        message = printable(value.get("error_message"))
        return Operation(operation_id, state_of(vendor_status, _STATES), vendor_status, message)

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Return the one file inside the reply to ``GET /v1/result/{id}``."""
        task = _Task.of(operation_id)
        request = Request("GET", f"/v1/result/{path_segment(task.id)}", headers=_JSON)
        return [ResultFile(operation_id, request, f"result.{task.format}", decoder=partial(_Decoder, task))]
        yield  # makes it a flow like the others


class _Task(NamedTuple):
    """A task of the server, and the format that it makes."""

    operation_id: str
    id: str
    format: str

    @classmethod
    def of(cls, operation_id: str) -> _Task:
        task_id, _, kind = operation_id.rpartition(".")
        if task_id and kind in _FORMATS:
            return cls(operation_id, task_id, kind)
        # The id of a task that someone else has started.
        return cls(operation_id, operation_id, "md")


def _form_fields(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            yield name, str(each).lower() if isinstance(each, bool) else str(each)


class _Decoder:
    """Decodes the document's content while the reply streams, then checks what the reply says of it."""

    def __init__(self, task: _Task) -> None:
        self._id = task.operation_id
        path = ("document", _FORMATS[task.format][1])
        self._field: StringField = ObjectField(path) if task.format == "json" else TextField(path)
        self._is_empty = True

    def feed(self, chunk: bytes) -> bytes:
        try:
            data = self._field.feed(chunk)
        except (ValueError, RecursionError) as error:
            raise UnexpectedReply(
                f"{_LABEL} replied with something other than the result ({error})", operation_id=self._id
            ) from error
        self._is_empty = self._is_empty and not data
        return data

    def close(self) -> None:
        try:
            value = self._field.close()
        except (ValueError, RecursionError) as error:
            raise TruncatedResult(f"the result of {_LABEL} is incomplete ({error})", operation_id=self._id) from error
        status = value.get("status") if isinstance(value, dict) else None
        if not isinstance(status, str):
            raise UnexpectedReply(f"{_LABEL} replied with something other than the result", operation_id=self._id)
        if status != "success":
            part = (
                "converted only a part of the document"
                if status == "partial_success"
                else "could not convert the document"
            )
            raise ConversionFailed(
                f"{_LABEL} {part} ({printable(status)})",
                service_message=_messages(value.get("errors")),
                operation_id=self._id,
            )
        if self._is_empty:
            raise ConversionFailed(f"{_LABEL} found nothing in the document", operation_id=self._id)


def _messages(errors: object) -> str | None:
    entries = errors[:5] if isinstance(errors, list) else []
    found = [entry.get("error_message") for entry in entries if isinstance(entry, dict)]
    return "; ".join(text for text in found if isinstance(text, str)) or None
