"""
GroupDocs.Conversion Cloud, asynchronous API, ``/v2.0/conversion/async``.

Facts: the vendor's SDKs (Python 26.8, .NET, Java, Node, PHP, Go, Ruby) and documentation. The tutorial's
``/async/{id}/status`` is wrong; all SDKs use ``/async?id=``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_provider_docconv.services.bodies import FilePart, MultipartBody, json_body
from airflow_provider_docconv.services.catalog import GROUPDOCS_CONVERSION
from airflow_provider_docconv.services.documents import Document, RemoteDocument
from airflow_provider_docconv.services.errors import (
    ConversionFailed,
    DocConvError,
    InvalidOptions,
    OperationNotFound,
    StartReplyLost,
    UnexpectedReply,
)
from airflow_provider_docconv.services.groupdocs.options import GroupDocsOptions
from airflow_provider_docconv.services.http import (
    Call,
    Flow,
    Reply,
    Request,
    find_message,
    has_error_object,
    path_segment,
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
from airflow_provider_docconv.services.service import ConversionService, own_folder
from airflow_provider_docconv.services.storage import RemoteStorage

_ROOT = "/v2.0/conversion"
_ASYNC = f"{_ROOT}/async"
_JSON = {"Accept": "application/json"}

_STATES = {
    "created": OperationState.QUEUED,
    "started": OperationState.RUNNING,
    "finished": OperationState.SUCCEEDED,
    "failed": OperationState.FAILED,
    "canceled": OperationState.CANCELED,
}
# The options of a start that sends the document; all others need it in the vendor's storage.
_DIRECT = frozenset({"fromPage", "pagesCount"})


class GroupDocsConversion(ConversionService):
    """Converts office documents to any format that ``GET /conversion/formats`` lists."""

    info = GROUPDOCS_CONVERSION
    options_type = GroupDocsOptions
    saving_option = "outputPath"

    @staticmethod
    def is_own_error(value: Mapping[str, Any], status: int) -> bool:
        """Tell whether it is an ``ApiErrorResponse``, or an ``Error`` of the older models."""
        older = isinstance(value.get("message"), str) and ("description" in value or "innerError" in value)
        return has_error_object(value) or (older and isinstance(value.get("code"), str))

    def start(self, source: Document | RemoteDocument, target_format: str, options: Mapping[str, Any]) -> Flow[Started]:
        """Start with ``PUT`` and the document, or upload it and start with ``POST`` if the options require that."""
        given = self.check(target_format, options)
        settings = self._settings(source, target_format, given)
        uploaded: RemoteDocument | None = None
        if isinstance(source, RemoteDocument):
            remote = source
        elif not set(given) <= _DIRECT:
            remote = RemoteDocument(f"{own_folder(source)}/{source.name}", given.get("storageName") or self.storage)
            uploaded = remote = yield from self.remote_storage().upload(source, remote, source.name)
        else:
            reply = yield Request(
                "PUT",
                _ASYNC,
                query(format=target_format, **{key: _page(key, given[key]) for key in sorted(given)}),
                _JSON,
                MultipartBody([FilePart(source, "file", source.name)]),
                repeatable=False,
            )
            return read_started(reply, self.vendor)
        settings["FilePath"] = remote.path
        reply = yield Request("POST", _ASYNC, {}, _JSON, json_body(settings), repeatable=False)
        try:
            return read_started(reply, self.vendor, uploaded)
        except StartReplyLost:
            raise
        except DocConvError:
            if uploaded:  # Nobody will ever need it.
                yield from self._delete_upload(own_folder(source), uploaded.storage)
            raise

    def _delete_upload(self, folder: str, storage: str | None) -> Flow[None]:
        with suppress(DocConvError):  # The refusal of the start matters more.
            yield from self.remote_storage().delete_folder(RemoteDocument(folder, storage))

    def status(self, operation_id: str) -> Flow[Operation]:
        """Get ``?id=``."""
        value = yield from self._operation(operation_id)
        if value is None:
            return Operation(operation_id, OperationState.NOT_FOUND, "404")
        vendor_status = read_status(value.get("status"), self.label)
        return Operation(
            operation_id, state_of(vendor_status, _STATES), vendor_status, printable(find_message(value.get("error")))
        )

    def result_storage(self, source: RemoteDocument | None, options: Mapping[str, Any]) -> str | None:
        """Return the ``StorageName`` of a start."""
        return (source.storage if source else None) or options.get("storageName") or None

    def saved_results(self, operation_id: str, remote: RemoteDocument) -> Flow[list[ResultFile]]:
        """Return the files at that address or, with an empty path, those of ``result[]`` in that storage."""
        if remote.path.strip("/"):
            return (yield from super().saved_results(operation_id, remote))
        return (yield from self._results(operation_id, remote.storage))

    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """Return the files of ``result[]`` in the vendor's storage, or the one of ``GET /result``."""
        return (yield from self._results(operation_id, None))

    def _results(self, operation_id: str, storage: str | None) -> Flow[list[ResultFile]]:
        value = yield from self._operation(operation_id)
        if value is None:
            raise OperationNotFound(f"{self.label} does not know the operation", operation_id=operation_id)
        if value.get("method") == "ConvertAndSave":
            listed = value.get("result")
            items = listed if isinstance(listed, list) else []
            files = [self._remote_file(operation_id, item, storage) for item in items if isinstance(item, dict)]
            if not files:
                raise ConversionFailed(f"{self.label} listed no results", operation_id=operation_id)
            return files
        return [ResultFile(operation_id, Request("GET", f"{_ASYNC}/result", {"id": operation_id}))]

    def supported_formats(
        self, source_format: str | None = None, remote: RemoteDocument | None = None
    ) -> Flow[dict[str, list[str]]]:
        """Get ``/formats``."""
        where = query(
            filePath=remote.path if remote else None,
            storageName=(remote.storage or self.storage) if remote else None,
            format=source_format,
        )
        reply = yield Request("GET", f"{_ROOT}/formats", where, _JSON, kind="formats")
        formats: dict[str, list[str]] = {}
        for entry in self.vendor.require_success(reply, Call.OTHER).json_objects(self.label):
            source, targets = entry.get("sourceFormat"), entry.get("targetFormats")
            if isinstance(source, str) and isinstance(targets, list):
                formats[source.lower()] = sorted(target.lower() for target in targets if isinstance(target, str))
        return formats

    def remote_storage(self) -> RemoteStorage:
        """Return the storage."""
        return RemoteStorage(self.vendor, f"{_ROOT}/storage", f"{_ROOT}/storage", path_segment)

    def password(self, options: Mapping[str, Any]) -> str | None:
        """Return the password from ``password`` or the load options."""
        load = options.get("loadOptions")
        inner = (
            next((v for k, v in load.items() if str(k).lower() == "password"), None)
            if isinstance(load, Mapping)
            else None
        )
        return super().password(options) or (inner if isinstance(inner, str) and inner else None)

    def _operation(self, operation_id: str) -> Flow[dict[str, Any] | None]:
        reply = yield Request("GET", _ASYNC, {"id": operation_id}, _JSON)
        if self.vendor.says_not_found(reply) or _knows_no_operation(reply):
            return None
        return self.vendor.require_success(reply, Call.STATUS, operation_id).json_object(self.label)

    def _settings(
        self, source: Document | RemoteDocument, target_format: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        load, convert = dict(given.get("loadOptions", {})), dict(given.get("convertOptions", {}))
        if password := given.get("password"):
            load["Password"] = password
        convert |= {key[:1].upper() + key[1:]: _page(key, given[key]) for key in sorted(_DIRECT & set(given))}
        stem = source.name.rpartition(".")[0] or source.name
        # Only a start that sends the document is documented to keep a result without a path for a download.
        output = f"{own_folder(source)}/{stem}.{target_format.lower()}"
        storage = source.storage if isinstance(source, RemoteDocument) else None
        settings = {
            "StorageName": storage or given.get("storageName") or self.storage,
            "Format": target_format,
            "LoadOptions": load,
            "ConvertOptions": convert,
            "OutputPath": given.get("outputPath") or output,
            "FontsPath": given.get("fontsPath"),
        }
        return {key: value for key, value in settings.items() if value}

    def _remote_file(self, operation_id: str, item: Mapping[str, Any], storage: str | None) -> ResultFile:
        lower = {str(key).lower(): value for key, value in item.items()}
        # Only the path of the URL is used: a reply must not choose the host that gets the token.
        try:
            url = urlsplit(str(lower.get("url") or ""))
        except ValueError:
            url = urlsplit("")
        path = lower.get("path") or unquote(url.path.partition("/storage/file/")[2] or url.path)
        path = str(path).lstrip("/")
        if not path:
            raise UnexpectedReply(f"{self.label} listed a result without a path", operation_id=operation_id)
        named = parse_qs(url.query).get("storageName")
        name = lower.get("name")
        return self.remote_storage().file(
            RemoteDocument(path, named[0] if named else storage or self.storage),
            operation_id,
            name if isinstance(name, str) else None,
            whole_number(lower.get("size")) or None,
        )


def _knows_no_operation(reply: Reply) -> bool:
    # The status of this answer is unknown, and so is its form.
    value = reply.parsed_object() if reply.status in (400, 404, 500) else None
    return value is not None and says_no_operation(value)


def _page(key: str, number: int) -> int:
    if number < 0:
        raise InvalidOptions(f"{key} must be a whole number, not {number}")
    return number
