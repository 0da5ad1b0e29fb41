"""GroupDocs.Conversion Cloud: its asynchronous calls, its list of formats, and its storage."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import quote

from aiohttp import web

from docconv_sandbox import engines, formats, wire
from docconv_sandbox.bodies import Source, parse_options
from docconv_sandbox.errors import ApiError, Cause
from docconv_sandbox.job import Job, Outcome
from docconv_sandbox.operations import Operation, State, Stored
from docconv_sandbox.service import StoringService, read_source
from docconv_sandbox.storage import StorageApi

_WORDS = {
    # There is no word for waiting in the queue.
    State.CREATED: "Created",
    State.QUEUED: "Created",
    State.RUNNING: "Started",
    State.SUCCEEDED: "Finished",
    State.FAILED: "Failed",
    State.CANCELED: "Canceled",
}
_MESSAGES = {
    Cause.MISSING_PASSWORD: "Please specify password to load the document.",
    Cause.WRONG_PASSWORD: "Can not load the document: the password is incorrect.",
}
_FORMAT = re.compile(r"\.?[A-Za-z0-9]{1,10}")


class GroupDocs(StoringService):
    """Documents of all kinds to other formats."""

    name = "groupdocs"
    prefix = "/v2.0/conversion"
    SORTS: ClassVar = {"convert": "start", "convert_and_save": "start", "status": "status", "result": "result"}

    def routes(self) -> list[web.RouteDef]:
        storage = StorageApi("groupdocs.storage", self.storages, self.settings.max_upload)
        return [
            *storage.routes(f"{self.prefix}/storage"),
            web.put(f"{self.prefix}/async", self.convert),
            web.post(f"{self.prefix}/async", self.convert_and_save),
            web.get(f"{self.prefix}/async", self.status),
            web.get(f"{self.prefix}/async/result", self.result),
            web.get(f"{self.prefix}/formats", self.list_formats),
        ]

    async def convert(self, request: web.Request) -> web.Response:
        """Start: a document in the body, a result to download."""
        query = wire.query(request)
        target = _format(query.get("format"))
        first_page = wire.ensure_whole(query.get("frompage"), "fromPage") or 1
        page_count = wire.ensure_whole(query.get("pagescount"), "pagesCount")
        operation = self.operations.create(self.name, "Convert", "", target)
        with operation.until_submitted():
            upload = await self.receive(request, operation)
            if not upload.documents:
                raise ApiError(400, "Missing the required parameter 'file'.", "errorMissingParameter")
        document = upload.documents[0]
        operation.source_name = document.name or "document"
        job = Job(
            source=str(document.path),
            name=document.name,
            folder=str(operation.folder),
            target=formats.canonical(target),
            tier=self.settings.engine,
            bundle="many",
            first_page=first_page,
            page_count=page_count,
        )
        self.starts.submit(request, operation, lambda _: job, None)
        return wire.identifier(request, operation.id, 200, default="application/json")

    async def convert_and_save(self, request: web.Request) -> web.Response:
        """Start: a document in the storage, a result to the storage."""
        settings = parse_options(await wire.text(request))
        path, target = _text(settings, "filepath"), _format(_text(settings, "format"))
        if not path:
            raise ApiError(400, "The FilePath field is required.", "errorMissingParameter")
        storage = self.storages.get(_text(settings, "storagename") or _text(settings, "storage"))
        storage.locate(path)
        output = _text(settings, "outputpath")
        storage.locate(output or "")
        load, convert = _object(settings, "loadoptions"), _object(settings, "convertoptions")
        if convert.get("password"):
            raise ApiError(400, "The sandbox cannot protect results with a password.", "errorInvalidParameter")
        common: dict[str, Any] = {
            "name": path,
            "target": formats.canonical(target),
            "tier": self.settings.engine,
            "password": _text(load, "password"),
            "pages": [_whole(number, "Pages") for number in _list(convert, "pages")],
            "first_page": _whole(convert.get("frompage"), "FromPage") or 1,
            "page_count": _whole(convert.get("pagescount"), "PagesCount"),
            "bundle": "never" if output else "many",
            "fonts": self.fonts(storage.name, _text(settings, "fontspath")),
            "width": _whole(convert.get("width"), "Width"),
            "height": _whole(convert.get("height"), "Height"),
            "quality": min(100, _whole(convert.get("quality"), "Quality") or 90),
        }

        def prepare(operation: Operation) -> Job:
            source = storage.link(path, operation.folder / "source")
            return Job(source=str(source), folder=str(operation.folder), **common)

        def deliver(operation: Operation, outcome: Outcome) -> list[Stored]:
            files = [Path(file) for file in outcome.files]
            sizes = [file.stat().st_size for file in files]
            places = _output_paths(output or "", path, target, len(files))
            return [
                Stored(storage.adopt(file, place), size) for file, place, size in zip(files, places, sizes, strict=True)
            ]

        operation = self.operations.create(self.name, "ConvertAndSave", path, target)
        operation.set_source(await read_source(Source(), storage.locate(path)))
        self.starts.submit(request, operation, prepare, deliver if output else None)
        return wire.identifier(request, operation.id, 200, default="application/json")

    async def status(self, request: web.Request) -> web.Response:
        """Tell where an operation is."""
        operation = self._operation(request)
        ended = wire.stamp(operation.ended) if operation.ended else None
        failure = operation.failure
        return web.json_response(
            {
                "id": operation.id,
                "method": operation.method,
                "status": _WORDS[operation.state],
                "created": wire.stamp(operation.created),
                "started": wire.stamp(operation.started) if operation.started else None,
                "failed": ended if operation.state is State.FAILED else None,
                "canceled": ended if operation.state is State.CANCELED else None,
                "finished": ended if operation.state is State.SUCCEEDED else None,
                "result": [self._describe(request, stored) for stored in operation.stored],
                "error": _MESSAGES.get(failure.cause, failure.message) if failure else None,
            }
        )

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Send the result of an operation."""
        operation = self._operation(request)
        result = self.ensure_result(operation, _WORDS[operation.state])
        stem = PurePosixPath(operation.source_name).stem or "document"
        return wire.result_response(result, f"{stem}.{'zip' if result.suffix == '.zip' else operation.target.lower()}")

    async def list_formats(self, request: web.Request) -> web.Response:
        """List what can be converted to what, with the engines this machine has."""
        query = wire.query(request)
        wanted = query.get("format") or PurePosixPath(query.get("filepath", "")).suffix
        sources = [formats.canonical(wanted)] if wanted else sorted(formats.SOURCES)
        listed = [(source, engines.targets_of(self.settings.engine, source)) for source in sources]
        return web.json_response(
            [{"sourceFormat": source, "targetFormats": sorted(targets)} for source, targets in listed if targets]
        )

    def _describe(self, request: web.Request, stored: Stored) -> dict[str, Any]:
        path = PurePosixPath(stored.path)
        url = f"{request.scheme}://{request.host}{self.prefix}/storage/file/{quote(stored.path)}"
        return {"name": path.name, "size": stored.size, "path": stored.path, "url": url}

    def _operation(self, request: web.Request) -> Operation:
        operation = self.find(request, wire.query(request).get("id"))
        if operation is None:
            raise ApiError(404, "Operation not found", "errorNotFound")
        return operation


def _output_paths(output: str, source: str, target: str, count: int) -> list[str]:
    """Name the results: the output path is a full file name if it ends like the target, else a folder."""
    suffix = target.removeprefix(".").lower()
    place = PurePosixPath(output)
    if formats.extension(place.name) != formats.canonical(target):
        place = place / f"{PurePosixPath(source).stem}.{suffix}"
    if count == 1:
        return [str(place)]
    return [str(place.with_name(f"{place.stem}-page-{number}{place.suffix}")) for number in range(1, count + 1)]


def _format(text: str | None) -> str:
    if not text or not _FORMAT.fullmatch(text):
        raise ApiError(400, f"Invalid value for format: {text or 'it is missing'}.", "errorInvalidParameter")
    return text


def _text(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise ApiError(400, f"Invalid value for {key}: {json.dumps(value)[:80]}.", "errorInvalidParameter")
    return value or None


def _object(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key) or {}
    if not isinstance(value, dict):
        raise ApiError(400, f"Invalid value for {key}: {json.dumps(value)[:80]}.", "errorInvalidParameter")
    return {name.lower(): inner for name, inner in value.items()}


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key) or []
    if not isinstance(value, list):
        raise ApiError(400, f"Invalid value for {key}: {json.dumps(value)[:80]}.", "errorInvalidParameter")
    return value


def _whole(value: object, name: str) -> int:
    return wire.ensure_whole("" if value is None else str(value), name)
