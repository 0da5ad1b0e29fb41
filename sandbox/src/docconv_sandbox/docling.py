"""docling-serve: documents to text. Its traps are here, too."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from docconv_sandbox.auth import Auth
from docconv_sandbox.bodies import receive_form
from docconv_sandbox.echo import Echo
from docconv_sandbox.errors import ApiError
from docconv_sandbox.job import Job
from docconv_sandbox.operations import Operation, State
from docconv_sandbox.service import Service

_WORDS = {
    State.CREATED: "pending",
    State.QUEUED: "pending",
    State.RUNNING: "started",
    State.SUCCEEDED: "success",
    # A document that could not be converted is a success of the task; only the result says what happened.
    State.FAILED: "success",
    State.CANCELED: "failure",
}
_FIELDS = {
    "md": "md_content",
    "json": "json_content",
    "html": "html_content",
    "text": "text_content",
    "doctags": "doctags_content",
}
_TASK_NOT_FOUND = "Task not found."
_RESULT_NOT_FOUND = "Task result not found. Please wait for a completion status."


class Docling(Service):
    """Documents to Markdown, HTML, text and JSON."""

    name = "docling"
    prefix = "/v1/"
    SORTS: ClassVar = {"start": "start", "status": "status", "result": "result"}
    has_tokens = False

    def __init__(self, *common: Any) -> None:
        super().__init__(*common)
        # When the results were fetched first, by operation.
        self._fetched: dict[str, float] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/convert/file/async", self.start),
            web.get("/v1/status/poll/{id}", self.status),
            web.get("/v1/result/{id}", self.result, allow_head=False),
        ]

    def admits(self, request: web.Request, auth: Auth) -> bool:
        """Tell whether a request carries the key, if there is one."""
        given = request.headers.get("X-Api-Key", "").strip().encode("utf-8", "replace")
        key = self.settings.api_key.encode()
        return not key or hmac.compare_digest(given, key)

    def refuse(self, error: ApiError) -> web.Response:
        message = "Unauthorized" if error.status == 401 else error.message
        return web.json_response({"detail": message}, status=error.status)

    async def start(self, request: web.Request) -> web.Response:
        """Start: one document and the options in a form."""
        operation = self.operations.create(self.name, "convert", "", "md")
        with operation.until_submitted():
            if not request.content_type.startswith("multipart/"):
                return _invalid("files", "Field required", "missing")
            settings = self.settings
            upload, fields = await receive_form(
                request, operation.folder, settings.max_upload, keep=not settings.echoes
            )
            operation.set_source(upload.source)
            if len(upload.documents) != 1:
                return _invalid("files", "Field required", "missing")
            targets = [value for name, value in fields if name == "to_formats"] or ["md"]
            if len(targets) != 1 or targets[0] not in _FIELDS:
                known = ", ".join(f"'{name}'" for name in _FIELDS)
                return _invalid("to_formats", f"Input should be {known}", "enum")
            if any(value != "inbody" for name, value in fields if name == "target_type"):
                return _invalid("target_type", "The sandbox knows 'inbody' only", "enum")
            pages = [int(value) for name, value in fields if name == "page_range" and value.isdecimal()] or [1, 0]
            document = upload.documents[0]
            operation.source_name, operation.target = document.name, targets[0]
            job = Job(
                source=str(document.path),
                name=document.name,
                folder=str(operation.folder),
                target=targets[0],
                action="extract",
                first_page=pages[0],
                page_count=max(0, pages[-1] - pages[0] + 1),
            )
            self.starts.submit(request, operation, lambda _: job, None)
        return web.json_response(_describe(operation))

    async def status(self, request: web.Request) -> web.Response:
        """Tell where a task is; ``wait`` is ignored."""
        return web.json_response(_describe(self._operation(request, _TASK_NOT_FOUND)))

    async def result(self, request: web.Request) -> web.StreamResponse:
        """Send the result, and delete it some time after that."""
        operation = self._operation(request, _RESULT_NOT_FOUND)
        if operation.state not in (State.SUCCEEDED, State.FAILED):
            raise ApiError(404, _RESULT_NOT_FOUND)
        self._fetched.setdefault(operation.id, time.monotonic() + self.settings.result_removal_delay)
        content: dict[str, Any] = dict.fromkeys(_FIELDS.values())
        if operation.result is not None:
            content[_FIELDS[operation.target]] = _content(operation.result, operation.target)
        failure = operation.failure
        reply = {
            "document": {"filename": operation.source_name, **content},
            "status": "failure" if failure else "success",
            "errors": [
                {"component_type": "document_backend", "module_name": "sandbox", "error_message": failure.message}
            ] if failure else [],
            "processing_time": 0.1,
            "timings": {},
        }  # fmt: skip
        return web.Response(text=json.dumps(reply, ensure_ascii=False), content_type="application/json")

    def _operation(self, request: web.Request, message: str) -> Operation:
        operation = self.find(request, request.match_info["id"])
        if operation is None or time.monotonic() > self._fetched.get(operation.id, float("inf")):
            raise ApiError(404, message)
        return operation


def _content(result: Path | Echo, target: str) -> Any:
    if isinstance(result, Echo):
        text = base64.b64encode(b"".join(result.pieces())).decode()
        return {"texts": [{"text": text}]} if target == "json" else text
    text = result.read_text("utf-8")
    return json.loads(text) if target == "json" else text


def _describe(operation: Operation) -> dict[str, Any]:
    failed = operation.state is State.CANCELED
    return {
        "task_id": operation.id,
        "task_type": "convert",
        "task_status": _WORDS[operation.state],
        "task_position": None if operation.started else 1,
        "task_meta": None,
        "error_message": "Internal processing error." if failed else None,
        "failure": None,
    }


def _invalid(field: str, message: str, kind: str) -> web.Response:
    return web.json_response({"detail": [{"loc": ["body", field], "msg": message, "type": kind}]}, status=422)
