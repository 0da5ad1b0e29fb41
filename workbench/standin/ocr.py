"""
Aspose.OCR Cloud: DjVu to PDF, ``/v5.0/ocr/DjVu2PDF``.

Facts: the vendor's OpenAPI file (5.0), documentation and SDKs (Python 24.11). What becomes of a task that is deleted is
said nowhere; here it is forgotten, also one that was done already.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from aiohttp import web

from workbench.standin.dialect import LOGIN, Call
from workbench.standin.operations import Operation, State
from workbench.standin.replies import Reply, json_reply
from workbench.standin.results import expected_result
from workbench.standin.uploads import Upload, receive_base64

# The documentation and the SDKs spell the paths differently.
_DJVU = re.compile(r"(?i:/v5\.0/ocr/djvu2pdf)")
_WORDS = {
    State.QUEUED: ("Pending", "NotReady"),
    State.RUNNING: ("Processing", "NotReady"),
    State.DONE: ("Completed", "Ok"),
    State.FAILED: ("Error", "Error"),
}


class Ocr:
    """Its protocol."""

    name: ClassVar[str] = "ocr"
    calls: ClassVar[Sequence[Call]] = (
        LOGIN,
        ("POST", _DJVU, "start"),
        ("GET", re.compile(r"(?i:/v5\.0/ocr/utilities/gettaskstatus)"), "status"),
        ("GET", _DJVU, "result"),
        ("DELETE", _DJVU, "cancel"),
    )
    started: ClassVar[int] = 200

    async def receive(self, request: web.BaseRequest) -> Upload:
        """Take in a JSON object with the document in base64."""
        upload = await receive_base64(request, "image")
        if not upload.size:
            raise ValueError("The Image field is required.")
        return upload

    def refusal(self, status: int, message: str, code: str) -> Reply:
        """Refuse a call with an RFC 7807 problem."""
        problem = {
            "type": f"https://httpstatuses.io/{status}",
            "title": code,
            "status": status,
            "detail": message,
            "instance": None,
        }
        # The specification declares text/plain for this JSON.
        return Reply(status, json.dumps(problem).encode(), "text/plain; charset=utf-8")

    def unknown(self, id: str) -> Reply:
        """Answer for an operation that does not exist, or no longer."""
        return json_reply(_describe(id, ("NotExist", "TaskNotFound")))

    def status(self, id: str, operation: Operation, now: float) -> Reply:
        """Tell where an operation is."""
        state = operation.state(now)
        error = {"messages": ["The document is damaged."], "warnings": None} if state is State.FAILED else None
        return json_reply(_describe(id, _WORDS[state], error=error))

    def result(self, id: str, operation: Operation, now: float, size: int) -> Reply:
        """Tell where an operation is, and send its result with that."""
        if operation.state(now) is not State.DONE:
            return self.status(id, operation, now)
        data = base64.b64encode(expected_result(operation.digest.hex(), size)).decode()
        return json_reply(_describe(id, _WORDS[State.DONE], results=[{"type": "Pdf", "data": data}]))


def _describe(id: str, words: tuple[str, str], results: object = None, error: object = None) -> dict[str, Any]:
    status, code = words
    return {"id": id, "responseStatusCode": code, "taskStatus": status, "results": results, "error": error}
