"""
Aspose.OCR Cloud, DjVu to PDF, ``/v5.0/ocr/DjVu2PDF``.

Facts: the vendor's OpenAPI file (5.0), SDKs (Python 24.11, .NET, Java, Go) and documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_docconv.services.bodies import Base64Body, Base64Field
from airflow_provider_docconv.services.catalog import ASPOSE_OCR
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    DocConvError,
    DocumentRejected,
    InvalidOptions,
    OperationNotFound,
    TruncatedResult,
    UnexpectedReply,
)
from airflow_provider_docconv.services.filetypes import DJVU
from airflow_provider_docconv.services.http import Flow, Request, find_message, require_success
from airflow_provider_docconv.services.ocr.options import RESULT_TYPES, OcrSettings
from airflow_provider_docconv.services.operations import (
    Operation,
    OperationState,
    ResultFile,
    Started,
    read_started,
    state_of,
    status_word,
    words,
)
from airflow_provider_docconv.services.service import ConversionService

_ROOT = "/v5.0/ocr"
_DJVU = f"{_ROOT}/DjVu2PDF"
_LABEL = ASPOSE_OCR.label

_STATES = {
    "pending": OperationState.QUEUED,
    "processing": OperationState.RUNNING,
    "completed": OperationState.SUCCEEDED,
    "error": OperationState.FAILED,
    "notexist": OperationState.NOT_FOUND,
}
# What the vendor's own test of this call sends.
_DEFAULTS = {"dsrMode": "NoDsrNoFilter"}


class AsposeOcr(ConversionService):
    """DjVu scans to searchable PDF, or to another result of the recognition; the options are the vendor's settings."""

    info = ASPOSE_OCR
    options_type = OcrSettings
    target_formats: ClassVar[frozenset[str]] = frozenset(RESULT_TYPES)
    can_cancel = True

    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """Start with ``POST``: one JSON object with the document in base64."""
        given = self.check(target_format, options)
        if isinstance(source, RemoteDocument):
            raise InvalidOptions(f"{self.label} has no storage to take a document from", document=source.path)
        if not source.read_at(0, len(DJVU)).startswith(DJVU):
            raise DocumentRejected(
                f"{self.label} converts DjVu scans only, and this is none",
                document=source.name,
                remedy="send it through another service",
            )
        settings = _DEFAULTS | given
        reply = yield Request(
            "POST",
            _DJVU,
            headers={"Accept": "text/plain"},
            body=Base64Body(source, "image", {"settings": settings}),
            repeatable=False,
        )
        return read_started(reply, self.label)

    def check(self, target_format: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Check them, and give the result type that makes the target format."""
        given = super().check(target_format, options)
        wanted = RESULT_TYPES[target_format.lower()]
        if given.get("resultType", wanted) != wanted:
            raise InvalidOptions(
                f"the resultType {given['resultType']} is no {target_format}",
                remedy="leave resultType out: it follows from target_format",
            )
        return {**given, "resultType": wanted}

    def status(self, operation_id: str) -> Flow[Operation]:
        """Ask ``GET /Utilities/GetTaskStatus``, which does not carry the result."""
        reply = yield Request(
            "GET", f"{_ROOT}/Utilities/GetTaskStatus", {"id": operation_id}, {"Accept": "application/json"}
        )
        if reply.is_not_found:
            return Operation(operation_id, OperationState.NOT_FOUND, "404", reply.message())
        value = require_success(reply, self.label, operation_id).json_object(self.label)
        word = status_word(value.get("taskStatus"), self.label)
        return Operation(operation_id, state_of(word, _STATES), word, words(find_message(value.get("error"))))

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Name the one file inside the answer of ``GET``."""
        request = Request("GET", _DJVU, {"id": operation_id}, {"Accept": "application/json"})
        return [ResultFile(operation_id, request, decoder=lambda: _Decoder(operation_id))]
        yield  # makes it a flow like the others

    def cancel(self, operation_id: str) -> Flow[bool]:
        """Cancel with ``DELETE``; an operation that is gone already is no error."""
        reply = yield Request("DELETE", _DJVU, {"id": operation_id})
        if not reply.is_not_found:
            require_success(reply, self.label, operation_id)
        return True

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> Flow[bool]:
        """Delete the operation with its result, which is the same call as :meth:`cancel`."""
        return (yield from self.cancel(operation_id))


class _Decoder:
    """Decodes ``results[0].data`` while the answer streams past, then checks what it says of the task."""

    def __init__(self, operation_id: str) -> None:
        self._id = operation_id
        self._field = Base64Field(("results", 0, "data"))

    def feed(self, chunk: bytes) -> bytes:
        try:
            return self._field.feed(chunk)
        except (ValueError, RecursionError) as error:
            raise UnexpectedReply(
                f"{_LABEL} answered with something else than its result ({error})", operation_id=self._id
            ) from error

    def close(self) -> None:
        try:
            value = self._field.close()
        except (ValueError, RecursionError) as error:
            raise TruncatedResult(f"the result of {_LABEL} is incomplete ({error})", operation_id=self._id) from error
        if error_found := _not_completed(value if isinstance(value, dict) else {}, self._id):
            raise error_found
        if not self._field.found:
            raise ConversionFailed(
                f"{_LABEL} completed without a result",
                service_message=find_message(value.get("error")),
                operation_id=self._id,
            )


def _not_completed(value: Mapping[str, Any], operation_id: str) -> DocConvError | None:
    word = str(value.get("taskStatus"))[:100]
    state = state_of(word, _STATES)
    if state is OperationState.NOT_FOUND:
        return OperationNotFound(f"{_LABEL} does not know the operation", operation_id=operation_id)
    if state is not OperationState.SUCCEEDED:
        said = find_message(value.get("error"))
        return ConversionFailed(
            f"{_LABEL} has no result: it is {word}", service_message=said, operation_id=operation_id
        )
    return None
