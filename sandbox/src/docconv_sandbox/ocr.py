"""Aspose.OCR Cloud: DjVu to PDF."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.errors import ApiError
from docconv_sandbox.jsonbody import Base64Field
from docconv_sandbox.operation import Operation, State
from docconv_sandbox.service import Service
from docconv_sandbox.task import Task

_WORDS = {
    State.CREATED: ("Pending", "NotReady"),
    State.QUEUED: ("Pending", "NotReady"),
    State.RUNNING: ("Processing", "NotReady"),
    State.SUCCEEDED: ("Completed", "Ok"),
    State.FAILED: ("Error", "Error"),
    # There is no word for it: a canceled task is forgotten, one that ran out of time is an error.
    State.CANCELED: ("Error", "Error"),
}
_BODY_CHUNK = 1 << 18
# A multiple of three, so that each piece of base64 joins the next without padding.
_RESULT_CHUNK = 3 << 18
_PLACE = "@@data@@"


class Ocr(Service):
    """DjVu documents to PDF."""

    name = "ocr"
    prefix = "/v5.0/ocr"

    def routes(self) -> list[web.RouteDef]:
        # The documentation and the SDKs spell the path differently.
        base = "/{version:(?i:v5\\.0)}/{ocr:(?i:ocr)}"
        djvu = f"{base}/{{call:(?i:djvu2pdf)}}"
        return [
            web.post(djvu, self.start),
            web.get(djvu, self.result, allow_head=False),
            web.delete(djvu, self.cancel),
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
        """Start: a DjVu document in the body."""
        operation = self.context.operations.create(self.name, "DjVu2PDF", "image", "pdf")
        document = operation.folder / "upload-0"
        with operation.until_submitted():
            rest = await self._receive(request, document)
            if not isinstance(rest.get("settings", {}), dict | None):
                raise ApiError(400, "The Settings field is not an object.")
            if (rest.get("settings") or {}).get("resultType", "Pdf") != "Pdf":
                raise ApiError(400, "The sandbox makes results of the type Pdf only.")
        task = Task(
            source=str(document),
            folder=str(operation.folder),
            target="pdf",
            accepts=["djvu"],
            tier=self.context.settings.engine,
        )
        self.context.operations.submit(operation, lambda _: task)
        return wire.identifier(request, operation.id, 200, default="text/plain")

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Tell where an operation is, and send its result with that."""
        id, operation = self._operation(request)
        if operation is None or operation.result is None:
            return web.json_response(_describe(id, operation))
        shell = _describe(id, operation) | {"results": [{"type": "Pdf", "data": _PLACE}]}
        head, tail = json.dumps(shell).encode().split(_PLACE.encode())
        size = operation.result.stat().st_size
        response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
        response.content_length = len(head) + (size + 2) // 3 * 4 + len(tail)
        await response.prepare(request)
        await response.write(head)
        await _write_base64(operation.result, response)
        await response.write(tail)
        return response

    async def status(self, request: web.Request) -> web.Response:
        """Tell where an operation is."""
        return web.json_response(_describe(*self._operation(request)))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel an operation. One that is unknown is none of the caller's business any more, too."""
        _, operation = self._operation(request)
        if operation is not None:
            await self.context.operations.cancel(operation)
        return web.Response(status=200)

    async def _receive(self, request: web.Request, document: Path) -> dict[str, Any]:
        """Write a body's document into a file, and give the rest of it."""
        limit = self.context.settings.max_upload
        size = 0
        with document.open("wb") as file:
            body = Base64Field("image", file.write)
            try:
                async for chunk in request.content.iter_chunked(_BODY_CHUNK):
                    size += len(chunk)
                    if size > limit * (1 << 20):
                        raise ApiError(413, f"The request is larger than {limit:g} MiB.", "Payload Too Large")
                    body.feed(chunk)
                rest = body.close()
            except (ValueError, RecursionError) as error:
                raise ApiError(400, f"The JSON value could not be converted: {error}.") from error
            if not body.found or not file.tell():
                raise ApiError(400, "The Image field is required.")
        return rest

    def _operation(self, request: web.Request) -> tuple[str, Operation | None]:
        id = wire.query(request).get("id")
        if not id:
            raise ApiError(400, "The id field is required.")
        return id, self.find(id)


async def _write_base64(path: Path, response: web.StreamResponse) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_RESULT_CHUNK):
            await response.write(base64.b64encode(chunk))


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
