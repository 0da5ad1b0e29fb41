"""Aspose.OCR Cloud: what it makes of scans; see :mod:`~docconv_sandbox.engines.scans`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.bodies import receive_base64
from docconv_sandbox.echo import Echo, json_base64
from docconv_sandbox.errors import ApiError
from docconv_sandbox.job import Job
from docconv_sandbox.operations import Operation, State
from docconv_sandbox.service import Service

_WORDS = {
    State.CREATED: ("Pending", "NotReady"),
    State.QUEUED: ("Pending", "NotReady"),
    State.RUNNING: ("Processing", "NotReady"),
    State.SUCCEEDED: ("Completed", "Ok"),
    State.FAILED: ("Error", "Error"),
    # There is no word for it: a canceled task is forgotten, one that ran out of time is an error.
    State.CANCELED: ("Error", "Error"),
}
# A multiple of three, so that each piece of base64 joins the next without padding.
_RESULT_CHUNK = 3 << 18
_PLACE = "@@data@@"


#: The vendor's calls that take one document, in lower case, with their spelling.
METHODS = {
    name.lower(): name
    for name in (
        "DjVu2PDF",
        "RecognizePdf",
        "RecognizeImage",
        "RecognizeTable",
        "RecognizeReceipt",
        "RecognizeLabel",
        "RecognizeRegions",
        "RecognizeAndParseInvoice",
        "DetectRegions",
        "IdentifyFont",
        "BinarizeImage",
        "DeskewImage",
        "DewarpImage",
        "UpscaleImage",
    )
}
_RESULT_TYPES = {"Pdf": "pdf", "Text": "txt", "Hocr": "hocr", "ImagePNG": "png", "JSON": "json"}
_TABLE_TYPES = {"Text": "txt", "Csv": "csv", "Excel": "xlsx"}
_WITHOUT_SETTINGS = {"BinarizeImage", "DeskewImage", "DewarpImage", "UpscaleImage"}


class Ocr(Service):
    """Scans to searchable PDFs, texts, tables and better pictures."""

    name = "ocr"
    prefix = "/v5.0/ocr"
    SORTS: ClassVar = {"start": "start", "status": "status", "result": "result", "cancel": "cancel"}

    def routes(self) -> list[web.RouteDef]:
        # The documentation and the SDKs spell the path differently.
        base = "/{version:(?i:v5\\.0)}/{ocr:(?i:ocr)}"
        call = f"{base}/{{call:(?i:{'|'.join(METHODS)})}}"
        return [
            web.post(call, self.start),
            web.get(call, self.result, allow_head=False),
            web.delete(call, self.cancel),
            web.get(f"{base}/{{group:(?i:utilities)}}/{{call:(?i:gettaskstatus)}}", self.status),
        ]

    def refuse(self, error: ApiError) -> web.Response:
        problem = {
            "type": f"https://httpstatuses.io/{error.status}",
            "title": error.code or "One or more validation errors occurred.",
            "status": error.status,
            "detail": error.message,
            "instance": None,
        }
        # The specification declares text/plain for this JSON.
        return web.Response(text=json.dumps(problem), status=error.status, content_type="text/plain", charset="utf-8")

    async def start(self, request: web.Request) -> web.Response:
        """Start: a document in the body."""
        method = METHODS[request.match_info["call"].lower()]
        operation = self.operations.create(self.name, method, "image", "pdf")
        document = operation.folder / "upload-0"
        with operation.until_submitted():
            settings = self.settings
            source, rest = await receive_base64(
                request, "image", document, settings.max_upload, keep=not settings.echoes
            )
            operation.set_source(source)
            if not isinstance(rest.get("settings", {}), dict | None):
                raise ApiError(400, "The Settings field is not an object.")
            operation.target = _target_of(method, rest.get("settings") or {})
            plain = method == "DjVu2PDF" and operation.target == "pdf"
            job = Job(
                source=str(document),
                folder=str(operation.folder),
                target=operation.target,
                accepts=["djvu"] if plain else [],
                tier=settings.engine,
                action="convert" if plain else "recognize",
                method=method,
            )
            self.starts.submit(request, operation, lambda _: job, None)
        return wire.identifier(request, operation.id, 200, default="text/plain")

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Tell where an operation is, and send its result with that."""
        id, operation = self._operation(request)
        result = operation.result if operation else None
        if result is None:
            return web.json_response(_describe(id, operation))
        kinds = {target: kind for kind, target in (_TABLE_TYPES | _RESULT_TYPES).items()}
        kind = kinds[operation.target] if operation else "Pdf"
        shell = _describe(id, operation) | {"results": [{"type": kind, "data": _PLACE}]}
        head, tail = json.dumps(shell).encode().split(_PLACE.encode())

        def pieces() -> Iterator[bytes]:
            yield head
            yield from result.base64_pieces() if isinstance(result, Echo) else _base64_pieces(result)
            yield tail

        # How many plus signs there are to escape is not known before the end, and so neither is the length.
        return wire.Streamed(pieces, None, {"Content-Type": "application/json; charset=utf-8"})

    async def status(self, request: web.Request) -> web.Response:
        """Tell where an operation is."""
        return web.json_response(_describe(*self._operation(request)))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel an operation. One that is unknown is none of the caller's business any more, too."""
        _, operation = self._operation(request)
        if operation is not None:
            await self.operations.cancel(operation)
        return web.Response(status=200)

    def _operation(self, request: web.Request) -> tuple[str, Operation | None]:
        id = wire.query(request).get("id")
        if not id:
            raise ApiError(400, "The id field is required.")
        return id, self.find(request, id)


def _target_of(method: str, settings: dict[str, Any]) -> str:
    if method in _WITHOUT_SETTINGS:
        return "png"
    name, types = ("resultTypeTable", _TABLE_TYPES) if method == "RecognizeTable" else ("resultType", _RESULT_TYPES)
    kind = settings.get(name) or ("Csv" if method == "RecognizeTable" else "Pdf")
    if kind not in types:
        raise ApiError(400, f"The sandbox makes results of the types {', '.join(types)} only.")
    return types[kind]


def _base64_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_RESULT_CHUNK):
            yield json_base64(chunk)


def _describe(id: str, operation: Operation | None) -> dict[str, Any]:
    word, code = ("NotExist", "TaskNotFound") if operation is None else _WORDS[operation.state]
    failure = operation.failure if operation else None
    return {
        "id": id,
        "responseStatusCode": code,
        "taskStatus": word,
        "results": None,
        "error": {"messages": [failure.message], "warnings": None} if failure else None,
    }
