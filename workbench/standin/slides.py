"""
Aspose.Slides Cloud: ``/v3.0/slides/async``.

Facts: the vendor's documentation and SDKs (Python 26.6); progress is shaped as the documentation shows it for a split.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from workbench.standin.dialect import LOGIN, Call
from workbench.standin.operations import Operation, State
from workbench.standin.replies import Reply, json_reply, refusal
from workbench.standin.results import expected_result
from workbench.standin.uploads import Upload, receive_document

_ASYNC = r"/v3\.0/slides/async"
_WORDS = {State.QUEUED: "Enqueued", State.RUNNING: "Started", State.DONE: "Finished", State.FAILED: "Failed"}
_DAMAGED = "The presentation is damaged."
_ERROR = {
    "code": "errorInvalidPresentation",
    "description": _DAMAGED,
    "httpStatusCode": 400,
    "message": _DAMAGED,
}
_EPOCH = time.time() - time.monotonic()


class Slides:
    """
    Its protocol.

    :param steps: how many steps an operation reports, 0 for no progress at all.
    """

    name: ClassVar[str] = "slides"
    calls: ClassVar[Sequence[Call]] = (
        LOGIN,
        ("GET", re.compile(rf"{_ASYNC}/(?P<id>[^/]+)"), "status"),
        ("GET", re.compile(rf"{_ASYNC}/(?P<id>[^/]+)/result"), "result"),
        ("POST", re.compile(rf"{_ASYNC}/convert/[^/]+"), "start"),
    )
    started: ClassVar[int] = 201

    def __init__(self, steps: int = 0) -> None:
        self._steps = steps

    async def receive(self, request: web.BaseRequest) -> Upload:
        """Take in a document, raw or in parts."""
        upload = await receive_document(request)
        if not upload.size:
            raise ValueError("Missing the required parameter document.")
        return upload

    def refusal(self, status: int, message: str, code: str) -> Reply:
        """Refuse a call."""
        return refusal(status, message, code)

    def unknown(self, id: str) -> Reply:
        """Answer for an operation that does not exist, or no longer."""
        return refusal(404, "Operation does not exist", "errorNotFound")

    def status(self, id: str, operation: Operation, now: float) -> Reply:
        """Tell where an operation is."""
        state = operation.state(now)
        value = {"id": id, "method": "Convert", "status": _WORDS[state], "created": _stamp(operation.created)}
        if state is not State.QUEUED:
            value["started"] = _stamp(operation.begun)
        if state in {State.DONE, State.FAILED}:
            value[_WORDS[state].lower()] = _stamp(operation.ended)
        return json_reply(value | ({"error": _ERROR} if state is State.FAILED else self._progress(operation, now)))

    def result(self, id: str, operation: Operation, now: float, size: int) -> Reply:
        """Send the result, or refuse where there is none."""
        state = operation.state(now)
        if state is not State.DONE:
            return refusal(400, f"The operation has no result: it is {_WORDS[state]}.", "errorInvalidOperation")
        headers = {"Content-Disposition": 'attachment; filename="document.pdf"'}
        return Reply(200, expected_result(operation.digest.hex(), size), "application/pdf", headers)

    def _progress(self, operation: Operation, now: float) -> dict[str, Any]:
        # The vendor counts the steps that are done.
        done = int(self._steps * operation.done(now))
        if not done:
            return {}
        return {"progress": {"description": "Slide converted", "stepIndex": done, "stepCount": self._steps}}


def _stamp(moment: float) -> str:
    # As .NET writes it, with seven digits of a second.
    return f"{datetime.fromtimestamp(_EPOCH + moment, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
