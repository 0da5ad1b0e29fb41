"""Aspose.Slides Cloud: the asynchronous half of its protocol, and its storage."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from aiohttp import web

from docconv_sandbox import formats, wire
from docconv_sandbox.errors import ApiError, Cause
from docconv_sandbox.operation import Operation, State
from docconv_sandbox.service import StoringService
from docconv_sandbox.slides_tasks import (
    Deliver,
    conversion_values,
    merge_task,
    read_merge,
    save_slides,
    save_to,
    split_values,
)
from docconv_sandbox.storage_api import StorageApi
from docconv_sandbox.task import Task
from docconv_sandbox.uploads import Upload, parse_options, receive

EXPORT_FORMATS = frozenset(
    (
        "pdf xps tiff pptx odp otp ppt pps ppsx pptm ppsm pot potx potm html html5 swf svg jpeg png gif bmp fodp xaml"
        " mpeg4 md xml emf"
    ).split()
)
# What a slide alone can become.
SPLIT_FORMATS = EXPORT_FORMATS - {"swf", "mpeg4"}
_WORDS = {
    State.CREATED: "Created",
    State.QUEUED: "Enqueued",
    State.RUNNING: "Started",
    State.SUCCEEDED: "Finished",
    State.FAILED: "Failed",
    State.CANCELED: "Canceled",
}
_END_KEYS = {State.SUCCEEDED: "finished", State.FAILED: "failed", State.CANCELED: "canceled"}
_ERRORS = {
    Cause.MISSING_SOURCE: ("errorNotFound", 404),
    Cause.ENGINE: ("errorInternal", 500),
    Cause.TIME_LIMIT: ("errorTimeout", 408),
}
_INVALID_PASSWORD = {Cause.MISSING_PASSWORD, Cause.WRONG_PASSWORD}


class Slides(StoringService):
    """Presentations to other formats."""

    name = "slides"
    prefix = "/v3.0/slides"

    def routes(self) -> list[web.RouteDef]:
        base = f"{self.prefix}/async"
        storage = StorageApi("slides.storage", self.storages, self.context.operations, self.context.settings)
        return [
            *storage.file_routes(f"{base}/storage"),
            *storage.routes(f"{self.prefix}/storage"),
            web.post(f"{base}/convert/{{format}}", self.convert),
            web.put(f"{base}/convert/{{format}}", self.convert_and_save),
            web.post(f"{base}/merge", self.merge),
            web.put(f"{base}/merge", self.merge_and_save),
            web.post(f"{base}/split/{{format}}", self.upload_and_split),
            web.post(f"{base}/{{name}}/split/{{format}}", self.split),
            web.post(f"{base}/{{name}}/{{format}}", self.download_presentation),
            web.put(f"{base}/{{name}}/{{format}}", self.save_presentation),
            web.get(f"{base}/{{id}}", self.status),
            web.get(f"{base}/{{id}}/result", self.result),
        ]

    async def convert(self, request: web.Request) -> web.Response:
        """Start: a document in the body, a result to download."""
        return await self._start_with_document(request, "Convert", None)

    async def convert_and_save(self, request: web.Request) -> web.Response:
        """Start: a document in the body, a result to the storage."""
        return await self._start_with_document(request, "ConvertAndSave", self._out_path(request))

    async def download_presentation(self, request: web.Request) -> web.Response:
        """Start: a document in the storage, a result to download."""
        return await self._start_from_storage(request, "DownloadPresentation", None)

    async def save_presentation(self, request: web.Request) -> web.Response:
        """Start: a document in the storage, a result to the storage."""
        return await self._start_from_storage(request, "SavePresentation", self._out_path(request))

    async def merge(self, request: web.Request) -> web.Response:
        """Start: presentations in the body or the storage, one of all of them to download."""
        return await self._start_merge(request, "Merge", None)

    async def merge_and_save(self, request: web.Request) -> web.Response:
        """Start: presentations in the body or the storage, one of all of them to the storage."""
        return await self._start_merge(request, "MergeAndSave", self._out_path(request))

    async def upload_and_split(self, request: web.Request) -> web.Response:
        """Start: a document in the body, a file for each slide."""
        return await self._start_with_document(request, "UploadAndSplit", None)

    async def split(self, request: web.Request) -> web.Response:
        """Start: a document in the storage, a file for each slide."""
        return await self._start_from_storage(request, "Split", None)

    async def status(self, request: web.Request) -> web.Response:
        """Tell where an operation is."""
        return web.json_response(_describe(self._operation(request)))

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Send the result of an operation."""
        operation = self._operation(request)
        result = self.ensure_result(operation, _WORDS[operation.state])
        stem = PurePosixPath(operation.source_name).stem or "document"
        return wire.file_response(result, f"{stem}{result.suffix}")

    async def _start_with_document(self, request: web.Request, method: str, out_path: str | None) -> web.Response:
        operation = self._create(request, method, "document", request.match_info["format"])
        with operation.until_submitted():
            upload = await receive(request, operation.folder, self.context.settings.max_upload)
            if not upload.documents:
                raise ApiError(400, "Missing the required parameter document.", "errorMissingParameter")
            operation.source_name = upload.documents[0].name or "document"
            return self._submit_document(request, operation, out_path, upload, None)

    async def _start_from_storage(self, request: web.Request, method: str, out_path: str | None) -> web.Response:
        path = f"{wire.query(request).get('folder', '')}/{request.match_info['name']}"
        self.storages.get(wire.query(request).get("storage")).locate(path)
        operation = self._create(request, method, path.lstrip("/"), request.match_info["format"])
        with operation.until_submitted():
            options = parse_options(await wire.text(request))
            return self._submit_document(request, operation, out_path, Upload(options=options), path)

    async def _start_merge(self, request: web.Request, method: str, out_path: str | None) -> web.Response:
        operation = self._create(request, method, "presentations", "pptx")
        with operation.until_submitted():
            upload = await receive(request, operation.folder, self.context.settings.max_upload)
            storage = self.storages.get(wire.query(request).get("storage"))
            items = read_merge(upload, storage)
            prepare = partial(merge_task, request, self, items)
            return self._submit(request, operation, prepare, save_to(storage, out_path))

    def _create(self, request: web.Request, method: str, source: str, target: str) -> Operation:
        known = SPLIT_FORMATS if "Split" in method else EXPORT_FORMATS
        if formats.canonical(target) not in known:
            raise ApiError(400, f"Invalid value for format: {target}.", "errorInvalidParameter")
        self.storages.get(wire.query(request).get("storage"))
        limit = wire.ensure_whole(request.headers.get("x-aspose-timeout"), "x-aspose-timeout")
        return self.context.operations.create(self.name, method, source, target, limit or None)

    def _submit_document(
        self, request: web.Request, operation: Operation, out_path: str | None, upload: Upload, path: str | None
    ) -> web.Response:
        storage = self.storages.get(wire.query(request).get("storage"))
        if "Split" in operation.method:
            values = split_values(request, self, upload.options)
            deliver = save_slides(storage, wire.query(request).get("destfolder"))
        else:
            values = conversion_values(request, self, upload.options)
            deliver = save_to(storage, out_path)

        def prepare(operation: Operation) -> Task:
            source = upload.documents[0].path if path is None else storage.link(path, operation.folder / "source")
            return Task(
                source=str(source), folder=str(operation.folder), target=formats.canonical(operation.target), **values
            )

        return self._submit(request, operation, prepare, deliver)

    def _submit(
        self, request: web.Request, operation: Operation, prepare: Callable[[Operation], Task], deliver: Deliver | None
    ) -> web.Response:
        self.context.operations.submit(operation, prepare, deliver)
        return wire.identifier(request, operation.id, 201, default="text/plain")

    def _out_path(self, request: web.Request) -> str:
        query = wire.query(request)
        path = query.get("outpath", "").rstrip("/")
        if not path:
            raise ApiError(400, "Missing the required parameter outPath.", "errorMissingParameter")
        self.storages.get(query.get("storage")).locate(path)
        return path

    def _operation(self, request: web.Request) -> Operation:
        operation = self.find(request.match_info["id"])
        if operation is None:
            raise ApiError(404, "Operation does not exist", "errorNotFound")
        return operation


def _describe(operation: Operation) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": operation.id,
        "method": operation.method,
        "status": _WORDS[operation.state],
        "created": wire.stamp(operation.created),
    }
    done, count = operation.steps
    if count:
        body["progress"] = {"description": operation.description, "stepIndex": done, "stepCount": count}
    if operation.started:
        body["started"] = wire.stamp(operation.started)
    if operation.ended:
        body[_END_KEYS[operation.state]] = wire.stamp(operation.ended)
    if operation.failure:
        code, status = _ERRORS.get(operation.failure.cause, ("errorInvalidPresentation", 400))
        message = "Invalid password." if operation.failure.cause in _INVALID_PASSWORD else operation.failure.message
        body["error"] = {
            "code": code,
            "description": operation.failure.message,
            "httpStatusCode": status,
            "message": message,
        }
    return body
