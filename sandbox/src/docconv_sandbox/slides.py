"""Aspose.Slides Cloud: the asynchronous half of its protocol, and its storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, TypeAlias

from aiohttp import web

from docconv_sandbox import formats, wire
from docconv_sandbox.bodies import Source, Upload, parse_options
from docconv_sandbox.errors import ApiError, Cause
from docconv_sandbox.job import Job, Outcome
from docconv_sandbox.operations import Operation, State, Stored
from docconv_sandbox.service import StoringService, read_source
from docconv_sandbox.storage import Storage, StorageApi

Deliver: TypeAlias = Callable[[Operation, Outcome], list[Stored]]

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
    SORTS: ClassVar = {
        **dict.fromkeys(("convert", "convert_and_save", "download_presentation", "save_presentation"), "start"),
        **dict.fromkeys(("merge", "merge_and_save", "split", "upload_and_split"), "start"),
        "status": "status",
        "result": "result",
    }

    def routes(self) -> list[web.RouteDef]:
        base = f"{self.prefix}/async"
        storage = StorageApi("slides.storage", self.storages, self.settings.max_upload)
        return [
            web.get(f"{base}/{{id}}", self.status),
            web.get(f"{base}/{{id}}/result", self.result),
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
        return wire.result_response(result, f"{stem}{result.suffix}")

    async def _start_with_document(self, request: web.Request, method: str, out_path: str | None) -> web.Response:
        operation = self._create(request, method, "document", request.match_info["format"])
        with operation.until_submitted():
            upload = await self.receive(request, operation)
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
            storage = self.storages.get(wire.query(request).get("storage"))
            operation.set_source(await read_source(Source(), storage.locate(path)))
            return self._submit_document(request, operation, out_path, Upload(options=options), path)

    async def _start_merge(self, request: web.Request, method: str, out_path: str | None) -> web.Response:
        operation = self._create(request, method, "presentations", "pptx")
        with operation.until_submitted():
            upload = await self.receive(request, operation)
            storage = self.storages.get(wire.query(request).get("storage"))
            items = read_merge(upload, storage)
            stored = [item["storage"].locate(item["path"]) for item in items if "storage" in item]
            operation.set_source(await read_source(upload.source, *stored))
            prepare = partial(merge_job, request, self, items)
            return self._submit(request, operation, prepare, save_to(storage, out_path))

    def _create(self, request: web.Request, method: str, source: str, target: str) -> Operation:
        known = SPLIT_FORMATS if "Split" in method else EXPORT_FORMATS
        if formats.canonical(target) not in known:
            raise ApiError(400, f"Invalid value for format: {target}.", "errorInvalidParameter")
        self.storages.get(wire.query(request).get("storage"))
        limit = wire.ensure_whole(request.headers.get("x-aspose-timeout"), "x-aspose-timeout")
        return self.operations.create(self.name, method, source, target, limit or None)

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

        def prepare(operation: Operation) -> Job:
            source = upload.documents[0].path if path is None else storage.link(path, operation.folder / "source")
            return Job(
                source=str(source), folder=str(operation.folder), target=formats.canonical(operation.target), **values
            )

        return self._submit(request, operation, prepare, deliver)

    def _submit(
        self, request: web.Request, operation: Operation, prepare: Callable[[Operation], Job], deliver: Deliver | None
    ) -> web.Response:
        self.starts.submit(request, operation, prepare, deliver)
        return wire.identifier(request, operation.id, 201, default="text/plain")

    def _out_path(self, request: web.Request) -> str:
        query = wire.query(request)
        path = query.get("outpath", "").rstrip("/")
        if not path:
            raise ApiError(400, "Missing the required parameter outPath.", "errorMissingParameter")
        self.storages.get(query.get("storage")).locate(path)
        return path

    def _operation(self, request: web.Request) -> Operation:
        operation = self.find(request, request.match_info["id"])
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


def conversion_values(request: web.Request, service: StoringService, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a conversion is asked for, beside its source and its target."""
    return _common(request, service, options) | {"pages": _slide_numbers(wire.query(request).get("slides", ""))}


def split_values(request: web.Request, service: StoringService, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a split is asked for, beside its source and its target."""
    query = wire.query(request)
    first, last = (wire.ensure_whole(query.get(name), name) for name in ("from", "to"))
    first = first or 1
    if last and last < first:
        raise ApiError(400, f"Invalid value for to: {last}.", "errorInvalidParameter")
    sizes = {name: wire.ensure_whole(query.get(name), name) for name in ("width", "height")}
    return {
        **_common(request, service, options),
        **{name: size for name, size in sizes.items() if size},
        "action": "split",
        "first_page": first,
        "page_count": last - first + 1 if last else 0,
        "bundle": "never" if query.get("destfolder") else "pages",
    }


def _common(request: web.Request, service: StoringService, options: Mapping[str, Any]) -> dict[str, Any]:
    query = wire.query(request)
    if options.get("password"):
        raise ApiError(400, "The sandbox cannot protect results with a password.", "errorInvalidParameter")
    return {
        "accepts": sorted(formats.PRESENTATIONS),
        "tier": service.settings.engine,
        "password": request.headers.get("password"),
        "fonts": service.fonts(query.get("storage"), query.get("fontsfolder")),
        "width": wire.ensure_whole(str(options.get("width") or ""), "width"),
        "height": wire.ensure_whole(str(options.get("height") or ""), "height"),
        "quality": min(100, wire.ensure_whole(str(options.get("jpegquality") or ""), "jpegQuality", 90)),
    }


def read_merge(upload: Upload, storage: Storage) -> list[dict[str, Any]]:
    """
    Read what is to be merged: the documents as they came, or what the request's list says of them.

    :param upload: the request's documents and list.
    :param storage: where stored presentations lie.
    :return: for each the path, and maybe the storage, the password and the slides.
    """
    listed = upload.options.get("presentations")
    if listed is None:
        items: list[dict[str, Any]] = [{"path": str(document.path)} for document in upload.documents]
    elif isinstance(listed, list) and all(isinstance(item, dict) for item in listed):
        items = [_merge_item({key.lower(): value for key, value in item.items()}, upload, storage) for item in listed]
    else:
        raise ApiError(400, "Invalid value for presentations: it is not a list of objects.", "errorInvalidParameter")
    if not items:
        raise ApiError(400, "There are no presentations to merge.", "errorMissingParameter")
    return items


def _merge_item(item: Mapping[str, Any], upload: Upload, storage: Storage) -> dict[str, Any]:
    path, password, source = item.get("path"), item.get("password"), str(item.get("source") or "Request").lower()
    if not isinstance(path, str) or not isinstance(password, str | None):
        raise ApiError(400, "Invalid value for presentations: a path or password is no text.", "errorInvalidParameter")
    found: dict[str, Any] = {"password": password, "slides": _slide_numbers(item.get("slides") or "")}
    if source == "storage":
        storage.locate(path)
        return found | {"path": path, "storage": storage}
    sent = next((document for document in upload.documents if document.name == path), None)
    if source != "request" or sent is None:
        why = "the sandbox fetches nothing from elsewhere" if source == "url" else "no part has that file name"
        raise ApiError(400, f"Invalid value for presentations: {path[:80]!r}: {why}.", "errorInvalidParameter")
    return found | {"path": str(sent.path)}


def merge_job(request: web.Request, service: StoringService, items: list[dict[str, Any]], operation: Operation) -> Job:
    """Make the job of a merge, once a worker is free."""
    merged = []
    for number, item in enumerate(items, 1):
        storage = item.get("storage")
        path = storage.link(item["path"], operation.folder / f"source-{number}") if storage else item["path"]
        merged.append({"path": str(path), "password": item.get("password"), "slides": item.get("slides") or []})
    values = _common(request, service, {})
    return Job(action="merge", source="", folder=str(operation.folder), target="pptx", merged=merged, **values)


def save_to(storage: Storage, out_path: str | None) -> Deliver | None:
    """Put the result under one name, with ``.zip`` appended where it is one; None leaves it for a download."""
    if not out_path:
        return None

    def deliver(operation: Operation, outcome: Outcome) -> list[Stored]:
        [file] = map(Path, outcome.files)
        place = out_path
        if file.suffix == ".zip" and not place.lower().endswith(".zip"):
            place += ".zip"
        size = file.stat().st_size
        return [Stored(storage.adopt(file, place), size)]

    return deliver


def save_slides(storage: Storage, folder: str | None) -> Deliver | None:
    """Put each slide's file into a folder; None leaves a ZIP for a download."""
    if not folder:
        return None
    storage.locate(folder)

    def deliver(operation: Operation, outcome: Outcome) -> list[Stored]:
        stem = PurePosixPath(operation.source_name).stem or "document"
        stored = []
        for file in map(Path, outcome.files):
            size = file.stat().st_size
            number = file.stem.rpartition("_")[2]
            stored.append(Stored(storage.adopt(file, f"{folder}/{stem}_{number}{file.suffix}"), size))
        return stored

    return deliver


def _slide_numbers(given: object) -> list[int]:
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    numbers = [wire.ensure_whole(str(part).strip(), "slides") for part in parts if str(part).strip()]
    if 0 in numbers:
        raise ApiError(400, "Invalid value for slides: slides are numbered from 1.", "errorInvalidParameter")
    return numbers
