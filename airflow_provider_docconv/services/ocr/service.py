"""
Aspose.OCR Cloud: all of its calls that take one document, ``/v5.0/ocr/DjVu2PDF``, ``/v5.0/ocr/RecognizePdf`` and so on.

They have the same body, states and results. Only the path differs, also of the result and of the cancellation.

Facts: the vendor's OpenAPI file (5.0), SDKs (Python 24.11, .NET, Java, Go) and documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

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
from airflow_provider_docconv.services.filetypes import DJVU, extension, is_pdf, is_picture
from airflow_provider_docconv.services.http import Call, Flow, Request, find_message, has_error_object
from airflow_provider_docconv.services.ocr.options import (
    PICTURE_METHODS,
    RESULT_TYPES,
    TABLE_TYPES,
    Method,
    OcrSettings,
)
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

_ROOT = "/v5.0/ocr"
_METHODS = frozenset(get_args(Method))
# The one that there was first: the ids of its operations have no method after them.
_DJVU = "DjVu2PDF"
_HEAD = 1024
_LABEL = ASPOSE_OCR.label

_STATES = {
    "pending": OperationState.QUEUED,
    "processing": OperationState.RUNNING,
    "completed": OperationState.SUCCEEDED,
    "error": OperationState.FAILED,
    "notexist": OperationState.NOT_FOUND,
}
# As in the vendor's own test of this call.
_DEFAULTS = {"dsrMode": "NoDsrNoFilter"}


class AsposeOcr(ConversionService):
    """
    Recognises the text of scans: PDF, TIFF, JPEG, PNG and others, and DjVu. The options are the vendor's settings.

    An operation id is the vendor's task id and, but for ``DjVu2PDF``, the method after it: ``0b9c….RecognizePdf``.
    """

    info = ASPOSE_OCR
    options_type = OcrSettings
    source_formats: ClassVar[frozenset[str]] = frozenset(
        {"djvu", "djv", "pdf", "png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif"}
    )
    target_formats: ClassVar[frozenset[str]] = frozenset({*RESULT_TYPES, *TABLE_TYPES})
    can_cancel = True

    @staticmethod
    def is_own_error(value: Mapping[str, Any], status: int) -> bool:
        """Tell whether it is a ``ProblemDetails`` (OpenAPI file), an ``OCRResponse``, or the error of Aspose's APIs."""
        problem = isinstance(value.get("title"), str) and value.get("status") == status
        return problem or isinstance(value.get("taskStatus"), str) or has_error_object(value)

    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """Start with ``POST`` and a JSON object with the document in base64."""
        given = self.check(target_format, options)
        if isinstance(source, RemoteDocument):
            raise InvalidOptions(f"{self.label} has no storage for documents", document=source.path)
        method = self._method(source, given.pop("method", None))
        more = {} if method in PICTURE_METHODS else {"settings": _DEFAULTS | given if method == _DJVU else given}
        reply = yield Request(
            "POST",
            f"{_ROOT}/{method}",
            headers={"Accept": "text/plain"},
            body=Base64Body(source, "image", more),
            repeatable=False,
        )
        started = read_started(reply, self.vendor)
        return started if method == _DJVU else Started(f"{started}.{method}")

    def _method(self, source: Document, named: str | None) -> str:
        """Return the call for a document: what its bytes are decides, unless the options name one."""
        head = source.read_at(0, _HEAD)
        if head.startswith(DJVU):
            found = _DJVU
        elif is_pdf(head):
            found = "RecognizePdf"
        elif is_picture(head):
            found = "RecognizeImage"
        else:
            raise DocumentRejected(
                f"{self.label} reads scans (PDF, TIFF, JPEG, PNG, BMP, GIF and DjVu), but the document is not one",
                document=source.name,
                remedy="use another service for it",
            )
        if named is None:
            return found
        # Only DjVu2PDF reads DjVu, and it reads nothing else.
        if (found == _DJVU) != (named == _DJVU) or (found == "RecognizePdf" and named in PICTURE_METHODS):
            raise DocumentRejected(
                f"{named} of {self.label} does not take .{extension(source.name)} files, so it was not sent",
                document=source.name,
                remedy="omit the option method, which follows from the document",
            )
        return named

    def check(self, target_format: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Check them, and set the result type of the target format."""
        given, target = super().check(target_format, options), target_format.lower()
        method = given.get("method")
        if method in PICTURE_METHODS:
            if target != "png" or set(given) != {"method"}:
                raise InvalidOptions(
                    f"{method} of {self.label} makes a png and has no settings",
                    remedy="set target_format to png, and omit the other options",
                )
            return given
        name, types = ("resultTypeTable", TABLE_TYPES) if method == "RecognizeTable" else ("resultType", RESULT_TYPES)
        wanted = types.get(target)
        if wanted is None:
            raise InvalidOptions(
                f"{method or 'text recognition'} of {self.label} does not make {target} files, only "
                f"{', '.join(sorted(types))}",
                remedy="correct the task's target_format, or the option method (RecognizeTable makes tables)",
            )
        if given.get(name, wanted) != wanted:
            raise InvalidOptions(
                f"{name} {given[name]} does not fit the target format {target_format}",
                remedy=f"omit {name}, which follows from target_format",
            )
        return {**given, name: wanted}

    def status(self, operation_id: str) -> Flow[Operation]:
        """Get ``/Utilities/GetTaskStatus``, which does not send the result."""
        reply = yield Request(
            "GET", f"{_ROOT}/Utilities/GetTaskStatus", {"id": _split(operation_id)[0]}, {"Accept": "application/json"}
        )
        if self.vendor.says_not_found(reply):
            return Operation(operation_id, OperationState.NOT_FOUND, "404", reply.message())
        value = self.vendor.require_success(reply, Call.STATUS, operation_id).json_object(self.label)
        vendor_status = read_status(value.get("taskStatus"), self.label)
        return Operation(
            operation_id, state_of(vendor_status, _STATES), vendor_status, printable(find_message(value.get("error")))
        )

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Return the one file inside the reply to ``GET``."""
        task_id, method = _split(operation_id)
        request = Request("GET", f"{_ROOT}/{method}", {"id": task_id}, {"Accept": "application/json"})
        return [ResultFile(operation_id, request, decoder=lambda: _Decoder(operation_id))]
        yield  # makes it a flow like the others

    def cancel(self, operation_id: str) -> Flow[bool]:
        """Cancel with ``DELETE``, if the operation still exists."""
        task_id, method = _split(operation_id)
        reply = yield Request("DELETE", f"{_ROOT}/{method}", {"id": task_id})
        if not self.vendor.says_not_found(reply):
            self.vendor.require_success(reply, Call.OTHER, operation_id)
        return True

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> Flow[bool]:
        """Delete the operation with its result, which is the same call as :meth:`cancel`."""
        return (yield from self.cancel(operation_id))


def _split(operation_id: str) -> tuple[str, str]:
    """Return the vendor's task id and the method."""
    task_id, _, method = operation_id.rpartition(".")
    return (task_id, method) if task_id and method in _METHODS else (operation_id, _DJVU)


class _Decoder:
    """Decodes ``results[0].data`` while the reply streams, then checks the operation's status in it."""

    def __init__(self, operation_id: str) -> None:
        self._id = operation_id
        self._field = Base64Field(("results", 0, "data"))

    def feed(self, chunk: bytes) -> bytes:
        try:
            return self._field.feed(chunk)
        except (ValueError, RecursionError) as error:
            raise UnexpectedReply(
                f"{_LABEL} replied with something other than the result ({error})", operation_id=self._id
            ) from error

    def close(self) -> None:
        try:
            value = self._field.close()
        except (ValueError, RecursionError) as error:
            raise TruncatedResult(f"the result of {_LABEL} is incomplete ({error})", operation_id=self._id) from error
        if failure := _failure(value if isinstance(value, dict) else {}, self._id):
            raise failure
        if not self._field.found:
            raise ConversionFailed(
                f"{_LABEL} completed without a result",
                service_message=find_message(value.get("error")),
                operation_id=self._id,
            )


def _failure(value: Mapping[str, Any], operation_id: str) -> DocConvError | None:
    vendor_status = str(value.get("taskStatus"))[:100]
    state = state_of(vendor_status, _STATES)
    if state is OperationState.NOT_FOUND:
        return OperationNotFound(f"{_LABEL} does not know the operation", operation_id=operation_id)
    if state is not OperationState.SUCCEEDED:
        return ConversionFailed(
            f"{_LABEL} has no result: the operation is {vendor_status}",
            service_message=find_message(value.get("error")),
            operation_id=operation_id,
        )
    return None
