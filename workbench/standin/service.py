"""The service that is stood in for: what each call does, and what it is answered if nothing goes wrong."""

from __future__ import annotations

import json
import uuid

from aiohttp import web

from workbench.standin import tokens
from workbench.standin.faults import Fault
from workbench.standin.losses import Losses
from workbench.standin.operations import Operation, Operations
from workbench.standin.replies import Reply, json_reply, refusal
from workbench.standin.results import expected_result
from workbench.standin.uploads import Upload, receive


class Service:
    """
    Aspose.Slides Cloud's asynchronous API, without the converting.

    :param operations: its operations.
    :param result_bytes: the size of each result.
    """

    def __init__(self, operations: Operations, result_bytes: int) -> None:
        self.operations = operations
        self.losses = Losses()
        #: How many operations may still be created, None for any number.
        self.quota: int | None = None
        self._result_bytes = result_bytes

    async def token(self, request: web.BaseRequest) -> Reply:
        """Log in."""
        if not tokens.is_login(await request.read()):
            return json_reply({"error": "invalid_client"}, 400)
        return json_reply({"access_token": tokens.new_token(), "expires_in": tokens.LIFETIME, "token_type": "Bearer"})

    async def start(self, request: web.BaseRequest, fault: Fault | None) -> tuple[Reply, Fault | None]:
        """
        Start a conversion, unless a fault prevents it, and return the reply with the fault that it meets after all.

        :param request: the request; its body is read to the end in any case.
        :param fault: the fault that was drawn for it.
        """
        try:
            upload = await receive(request)
        except ValueError as error:
            return refusal(400, f"The multipart body is malformed: {error}", "errorInvalidRequest"), fault
        if refused := self._unauthorized(request) or self._refused(upload):
            return refused, fault
        fault = self.losses.take(upload.digest) or fault
        if fault and not fault.done:
            return self._started(request, str(uuid.uuid4()), None), fault
        if self.quota is not None:
            self.quota -= 1
        id, operation = self.operations.create(upload.digest, upload.damaged)
        operation.lost = "fault" if fault else None
        return self._started(request, id, operation), fault

    async def status(self, request: web.BaseRequest, id: str) -> Reply:
        """Tell where an operation is."""
        found = self._find(request, id)
        if isinstance(found, Reply):
            return found
        found.polls += 1
        if self.operations.is_forgotten(found):
            return _unknown()
        return json_reply(found.describe(id, self.operations.now()))

    async def result(self, request: web.BaseRequest, id: str) -> Reply:
        """Give the result of an operation."""
        found = self._find(request, id)
        if isinstance(found, Reply):
            return found
        if self.operations.is_forgotten(found):
            return _unknown()
        status = found.status(self.operations.now())
        if status != "Finished":
            return refusal(400, f"The operation has no result: it is {status}.", "errorInvalidOperation")
        body = expected_result(found.digest.hex(), self._result_bytes)
        headers = {"Content-Disposition": 'attachment; filename="document.pdf"'}
        return Reply(200, body, "application/pdf", headers)

    def _find(self, request: web.BaseRequest, id: str) -> Operation | Reply:
        return self._unauthorized(request) or self.operations.find(id) or _unknown()

    def _refused(self, upload: Upload) -> Reply | None:
        if not upload.size:
            return refusal(400, "Missing the required parameter document.", "errorMissingParameter")
        if self.quota == 0:
            return refusal(403, "The quota of the plan is used up.", "errorQuotaExceeded")
        return None

    def _started(self, request: web.BaseRequest, id: str, operation: Operation | None) -> Reply:
        # The vendor's server quotes the id for those that ask for JSON only.
        if "application/json" in request.headers.get("Accept", ""):
            return Reply(201, json.dumps(id).encode(), operation=operation)
        return Reply(201, id.encode(), "text/plain", operation=operation)

    def _unauthorized(self, request: web.BaseRequest) -> Reply | None:
        if tokens.is_valid(request.headers.get("Authorization", "")):
            return None
        return refusal(401, "The access token is missing, invalid or expired.", "Unauthorized")


def _unknown() -> Reply:
    return refusal(404, "Operation does not exist", "errorNotFound")
