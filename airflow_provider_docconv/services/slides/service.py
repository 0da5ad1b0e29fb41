"""
Aspose.Slides Cloud, asynchronous API, ``/v3.0/slides/async``.

Facts: the vendor's SDKs (Python 26.6, .NET, Java, Node, PHP, Go, Ruby), their test suites and documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_docconv.services.bodies import Body, FilePart, MultipartBody, json_body
from airflow_provider_docconv.services.catalog import ASPOSE_SLIDES
from airflow_provider_docconv.services.documents import Document, PresentationToMerge, RemoteDocument
from airflow_provider_docconv.services.errors import DocConvError, InvalidOptions, ServiceNotFound
from airflow_provider_docconv.services.http import (
    Call,
    Flow,
    Reply,
    Request,
    find_message,
    has_error_object,
    path_segment,
    path_segments,
    query,
    says_no_operation,
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
    whole_number,
)
from airflow_provider_docconv.services.options import read_options, slide_numbers
from airflow_provider_docconv.services.service import ConversionService, require_format
from airflow_provider_docconv.services.slides.options import (
    EXPORT_OPTIONS,
    ExportOptions,
    SlidesMergeOptions,
    SlidesOptions,
    SlidesSplitOptions,
)
from airflow_provider_docconv.services.storage import RemoteStorage

_ROOT = "/v3.0/slides"
_NO_OPERATION = "00000000-0000-0000-0000-000000000000"
_ASYNC = f"{_ROOT}/async"

_STATES = {
    "created": OperationState.QUEUED,
    "enqueued": OperationState.QUEUED,
    "started": OperationState.RUNNING,
    "finished": OperationState.SUCCEEDED,
    "failed": OperationState.FAILED,
    "canceled": OperationState.CANCELED,
}
# The SDKs also take the number of a state, in the order of the vendor's enumeration.
_NUMBERS = ("created", "enqueued", "started", "failed", "canceled", "finished")
_STATES |= {str(number): _STATES[word] for number, word in enumerate(_NUMBERS)}


class AsposeSlides(ConversionService):
    """Converts presentations to 28 formats, merges several into one, and splits one into a file per slide."""

    info = ASPOSE_SLIDES
    options_type = SlidesOptions
    saving_option = "outPath"
    # docs.aspose.cloud/slides/supported-file-formats/, column "load".
    source_formats: ClassVar[frozenset[str]] = frozenset(
        ("ppt", "pps", "pot", "pptx", "ppsx", "potx", "pptm", "ppsm", "potm", "odp", "otp", "fodp")
    )
    target_formats: ClassVar[frozenset[str]] = frozenset(
        "pdf xps tiff pptx odp otp ppt pps ppsx pptm ppsm pot potx potm html html5 swf svg jpeg png gif bmp fodp xaml "
        "mpeg4 md xml emf".split()
    )
    #: The formats of single slides: the vendor's SlideExportFormat.
    split_formats: ClassVar[frozenset[str]] = target_formats - {"swf", "mpeg4"}

    @staticmethod
    def is_own_error(value: Mapping[str, Any], status: int) -> bool:
        """Tell whether it is the error object, or the flat ``{"message"}`` of the SDKs about an unknown operation."""
        return has_error_object(value) or (status == 404 and says_no_operation(value))

    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """Start with ``/convert/{format}``, or ``/{name}/{format}`` for a remote document; ``PUT`` saves the result."""
        given = self.check(target_format, options)
        out_path = given.get("outPath")
        path = _path(source, f"convert/{target_format}", target_format)
        slides = ",".join(map(str, slide_numbers(given.get("slides"), "slides")))
        parameters = query(outPath=out_path, slides=slides)
        request = self._request("PUT" if out_path else "POST", path, source, target_format, given, parameters)
        return read_started((yield request), self.vendor)

    def start_merge(self, presentations: Sequence[PresentationToMerge], options: Mapping[str, Any]) -> Flow[Started]:
        """Start with ``/merge``; ``PUT`` saves the result."""
        given = self.read_options(options, SlidesMergeOptions)
        storage = given.get("storage") or self.storage
        request = _merge_request(f"{_ASYNC}/merge", presentations, given.get("outPath"), storage)
        return read_started((yield request), self.vendor)

    def start_split(
        self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]
    ) -> Flow[Started]:
        """Start with ``POST /split/{format}``, or ``/{name}/split/{format}`` for a remote document."""
        require_format(self.label, target_format, self.split_formats)
        given = self.read_options(options, SlidesSplitOptions)
        _require_sensible(given)
        path = _path(source, f"split/{target_format}", f"split/{target_format}")
        parameters = query(**{key: given.get(key) for key in ("width", "height", "from", "to", "destFolder")})
        request = self._request("POST", path, source, target_format, given, parameters)
        return read_started((yield request), self.vendor)

    def remote_storage(self) -> RemoteStorage:
        """Return the storage; files go through its asynchronous calls, which have no size limit."""
        return RemoteStorage(self.vendor, f"{_ASYNC}/storage", f"{_ROOT}/storage", path_segments)

    def _request(
        self,
        method: str,
        path: str,
        source: Document | RemoteDocument,
        target_format: str,
        given: Mapping[str, Any],
        parameters: dict[str, str],
    ) -> Request:
        export = _export_options(self.label, given.get("exportOptions"), target_format)
        parameters |= query(storage=given.get("storage") or self.storage, fontsFolder=given.get("fontsFolder"))
        body: Body | None
        if isinstance(source, RemoteDocument):
            parameters |= query(folder=source.folder, storage=source.storage)
            body = json_body(export) if export else None
        else:
            body = MultipartBody([FilePart(source, "document", "document")], {"pipeline": export} if export else {})
        headers = _password_header(self.password(given))
        return Request(method, path, parameters, headers, body, repeatable=False)

    def check_access(self) -> Flow[None]:
        """Ask for an operation that can't exist: the vendor's container, hosted by oneself, lacks these calls."""
        reply = yield Request("GET", f"{_ASYNC}/{_NO_OPERATION}")
        try:
            self.vendor.require_access(reply)
        except ServiceNotFound as error:
            error.remedy = (
                "the host of the connection has no asynchronous calls, as the container that the vendor offers for "
                "self-hosting: use the vendor's own host"
            )
            raise
        except DocConvError:
            return  # The login has succeeded, and this question proves nothing else.

    def status(self, operation_id: str) -> Flow[Operation]:
        """Get ``/{id}``, which answers 404 for an unknown operation."""
        reply = yield Request("GET", f"{_ASYNC}/{path_segment(operation_id)}")
        if self.vendor.says_not_found(reply):
            return Operation(operation_id, OperationState.NOT_FOUND, "404", reply.message())
        return self._read_operation(operation_id, self.vendor.require_success(reply, Call.STATUS, operation_id))

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Return the one file of ``GET /{id}/result``, a ZIP for formats with one file per slide."""
        return [ResultFile(operation_id, Request("GET", f"{_ASYNC}/{path_segment(operation_id)}/result"))]
        yield  # makes it a flow like the others

    def _read_operation(self, operation_id: str, reply: Reply) -> Operation:
        value = reply.json_object(self.label)
        vendor_status = read_status(value.get("status"), self.label)
        progress = value.get("progress")
        if not isinstance(progress, dict):
            progress = {}
        return Operation(
            operation_id,
            state_of(vendor_status, _STATES),
            vendor_status,
            printable(find_message(value.get("error"))),
            whole_number(progress.get("stepIndex")),
            whole_number(progress.get("stepCount")),
            printable(progress.get("description")),
        )


def _path(source: Document | RemoteDocument, direct: str, remote: str) -> str:
    if isinstance(source, RemoteDocument):
        return f"{_ASYNC}/{path_segment(source.name)}/{remote}"
    return f"{_ASYNC}/{direct}"


def _require_sensible(split: Mapping[str, Any]) -> None:
    for key in ("from", "to", "width", "height"):
        if split.get(key, 1) < 1:
            raise InvalidOptions(f"{key} must be a whole number from 1, not {split[key]}")
    if "to" in split and split["to"] < split.get("from", 1):
        raise InvalidOptions(f"to must not be less than from, but {split['to']} is less than {split['from']}")


def _export_options(service: str, export: Mapping[str, Any] | None, target_format: str) -> dict[str, Any] | None:
    if not export:
        return None
    kind, schema = EXPORT_OPTIONS.get(target_format.lower(), (None, ExportOptions))
    read = read_options(service, export, schema, "exportOptions")
    # The SDKs' discriminator, which names the class of the options.
    return {"format": kind, **read} if kind else read


def _password_header(password: str | None) -> dict[str, str]:
    if password is None:
        return {}
    if not password.isprintable() or not password.encode("latin-1", "replace") == password.encode("latin-1", "ignore"):
        raise InvalidOptions(
            "the password has characters that Aspose.Slides Cloud can't receive, because it is sent in a header"
        )
    return {"password": password}


def _merge_request(
    path: str, presentations: Sequence[PresentationToMerge], out_path: str | None, storage: str | None
) -> Request:
    if len(presentations) < 2:
        raise InvalidOptions("a merge needs at least two documents", remedy="correct the task's sources")
    if any(number < 1 for each in presentations for number in each.slides):
        raise InvalidOptions("slides must be a list of slide numbers from 1")
    documents = [each.document for each in presentations if isinstance(each.document, Document)]
    files = [FilePart(document, f"file{number}", f"file{number}") for number, document in enumerate(documents, 1)]
    names = iter(files)
    order = {"presentations": [_describe(each, names) for each in presentations]}
    plain = all(isinstance(each.document, Document) and not each.slides and not each.password for each in presentations)
    body: Body = MultipartBody(files, {} if plain else {"pipeline": order}) if files else json_body(order)
    parameters = query(outPath=out_path, storage=_one_storage(presentations, storage))
    return Request("PUT" if out_path else "POST", path, parameters, body=body, repeatable=False)


def _describe(presentation: PresentationToMerge, files: Iterator[FilePart]) -> dict[str, Any]:
    remote = presentation.document if isinstance(presentation.document, RemoteDocument) else None
    described: dict[str, Any] = {"path": remote.path if remote else next(files).file_name}
    if presentation.password:
        described["password"] = presentation.password
    if presentation.slides:
        described["slides"] = list(presentation.slides)
    return described | {"source": "Storage" if remote else "Request"}


def _one_storage(presentations: Sequence[PresentationToMerge], default: str | None) -> str | None:
    remote = [each.document for each in presentations if isinstance(each.document, RemoteDocument)]
    storages = {document.storage or default for document in remote} or {default}
    if len(storages) > 1:
        raise InvalidOptions(
            "the documents to merge are in different storages, but a merge uses one",
            remedy="copy them to one storage",
        )
    return storages.pop()
