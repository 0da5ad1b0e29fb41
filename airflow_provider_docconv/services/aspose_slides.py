"""
Aspose.Slides Cloud, asynchronous API, ``/v3.0/slides/async``.

Facts: the vendor's SDKs (Python 26.6, .NET, Java, Node, PHP, Go, Ruby), their test suites and documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from airflow_provider_docconv.services.bodies import Body, MultipartBody, json_body
from airflow_provider_docconv.services.documents import Document, StoredDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.messages import Flow, Reply, Request, find_message, path_segment
from airflow_provider_docconv.services.operations import (
    Operation,
    OperationState,
    state_of,
    status_word,
    whole_number,
    words,
)
from airflow_provider_docconv.services.replies import read_started_id, require_success
from airflow_provider_docconv.services.service import ConversionService, ResultFile, query

_ASYNC = "/v3.0/slides/async"

_STATES = {
    "created": OperationState.QUEUED,
    "enqueued": OperationState.QUEUED,
    "started": OperationState.RUNNING,
    "finished": OperationState.SUCCEEDED,
    "failed": OperationState.FAILED,
    "canceled": OperationState.CANCELED,
}
# The SDKs also read the number of a state, in the order of the vendor's enumeration.
_NUMBERS = ("created", "enqueued", "started", "failed", "canceled", "finished")
_STATES |= {str(number): _STATES[word] for number, word in enumerate(_NUMBERS)}


class AsposeSlides(ConversionService):
    """
    Presentations to any of 28 formats.

    Options: ``slides`` (list of slide numbers from 1), ``password`` (opens the document), ``fontsFolder``,
    ``storage`` (where fonts and stored documents lie), ``exportOptions`` (the vendor's ExportOptions, for example
    ``{"jpegQuality": 90}``).
    """

    name = "aspose_slides"
    label = "Aspose.Slides Cloud"
    default_host = "https://api.aspose.cloud"
    options = frozenset({"slides", "password", "fontsFolder", "storage", "exportOptions"})
    target_formats: ClassVar[frozenset[str]] = frozenset(
        "pdf xps tiff pptx odp otp ppt pps ppsx pptm ppsm pot potx potm html html5 swf svg jpeg png gif bmp fodp xaml "
        "mpeg4 md xml emf".split()
    )
    has_storage = True

    def start(self, source: Document | StoredDocument, target_format: str, options: Mapping[str, Any]) -> Flow[str]:
        """Start with ``POST /convert/{format}``, or ``POST /{name}/{format}`` for a stored document."""
        self.check(target_format, options)
        export = _export_options(options, target_format)
        parameters = query(
            storage=options.get("storage") or self.storage,
            fontsFolder=options.get("fontsFolder"),
            slides=_slide_numbers(options.get("slides")),
        )
        body: Body | None
        if isinstance(source, StoredDocument):
            path = f"{_ASYNC}/{path_segment(source.name)}/{target_format}"
            parameters |= query(folder=source.folder, storage=source.storage)
            body = json_body(export) if export else None
        else:
            path = f"{_ASYNC}/convert/{target_format}"
            parts = {"pipeline": export} if export else {}
            body = MultipartBody(source, "document", "document", parts)
        request = Request("POST", path, parameters, _password_header(self.password(options)), body, repeatable=False)
        reply = yield request
        return read_started_id(reply, self.label)

    def status(self, operation_id: str) -> Flow[Operation]:
        """Ask ``GET /{id}``; an unknown operation answers 404."""
        reply = yield Request("GET", f"{_ASYNC}/{path_segment(operation_id)}")
        if reply.status == 404:
            return Operation(operation_id, OperationState.NOT_FOUND, "404", reply.said())
        return self._read_operation(operation_id, require_success(reply, self.label, operation_id))

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Name the one file of ``GET /{id}/result``, a ZIP for formats with a file per slide."""
        return [ResultFile(operation_id, Request("GET", f"{_ASYNC}/{path_segment(operation_id)}/result"))]
        yield  # makes it a flow like the others

    def _read_operation(self, operation_id: str, reply: Reply) -> Operation:
        value = reply.json_object(self.label)
        word = status_word(value.get("status"), self.label)
        progress = value.get("progress")
        if not isinstance(progress, dict):
            progress = {}
        return Operation(
            operation_id,
            state_of(word, _STATES),
            word,
            words(find_message(value.get("error"))),
            whole_number(progress.get("stepIndex")),
            whole_number(progress.get("stepCount")),
            words(progress.get("description")),
        )


def _slide_numbers(slides: object) -> str | None:
    if slides is None or slides == "":
        return None
    numbers = str(slides).split(",") if isinstance(slides, str | int) else slides
    try:
        values = [int(number) for number in numbers] if isinstance(numbers, Iterable) else []
    except (TypeError, ValueError):
        values = []
    if not values or min(values) < 1:
        raise InvalidOptions(f"slides must be a list of slide numbers from 1, not {slides!r}")
    return ",".join(map(str, values))


def _export_options(options: Mapping[str, Any], target_format: str) -> dict[str, Any] | None:
    export = options.get("exportOptions")
    if not export:
        return None
    if not isinstance(export, Mapping):
        raise InvalidOptions("exportOptions must be a mapping of the vendor's export options")
    # The SDKs' discriminator: it names the class of the options.
    return {"format": target_format.lower(), **export}


def _password_header(password: str | None) -> dict[str, str]:
    if password is None:
        return {}
    if not password.isprintable() or not password.encode("latin-1", "replace") == password.encode("latin-1", "ignore"):
        raise InvalidOptions("the password has characters that Aspose.Slides Cloud can't take: it travels in a header")
    return {"password": password}
