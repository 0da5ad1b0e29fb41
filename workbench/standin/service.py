"""The services that are stood in for: what each call does, and what it is answered if nothing goes wrong."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

from aiohttp import web

from workbench.standin import tokens
from workbench.standin.dialect import Dialect
from workbench.standin.faults import Fault
from workbench.standin.losses import Losses
from workbench.standin.operations import Operations
from workbench.standin.replies import Reply, json_reply


class Service:
    """
    An asynchronous API without the converting, in whatever dialect it is spoken to.

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

    async def start(
        self, dialect: Dialect, request: web.BaseRequest, fault: Fault | None
    ) -> tuple[Reply, Fault | None]:
        """
        Start a conversion, unless a fault prevents it, and return the reply with the fault that it meets after all.

        :param dialect: how the call is spoken.
        :param request: the request; its body is read to the end in any case.
        :param fault: the fault that was drawn for it.
        """
        try:
            upload = await dialect.receive(request)
        except ValueError as error:
            return self._unauthorized(dialect, request) or dialect.refusal(
                400, str(error), "errorInvalidRequest"
            ), fault
        if refused := self._unauthorized(dialect, request) or self._spent(dialect):
            return refused, fault
        fault = self.losses.take(upload.digest) or fault
        if fault and not fault.done:
            return _started(dialect, request, str(uuid.uuid4())), fault
        if self.quota is not None:
            self.quota -= 1
        id, operation = self.operations.create(upload.digest, damaged=upload.damaged, service=dialect.name)
        operation.lost = "fault" if fault else None
        return replace(_started(dialect, request, id), created=operation), fault

    def status(self, dialect: Dialect, request: web.BaseRequest, id: str) -> Reply:
        """Tell where an operation is."""
        if refused := self._unauthorized(dialect, request):
            return refused
        operation = self.operations.find(id, dialect.name)
        if operation:
            operation.polls += 1
        if not operation or self.operations.is_forgotten(operation):
            return dialect.unknown(id)
        now = self.operations.now()
        reply = dialect.status(id, operation, now)
        return replace(reply, ended=operation) if now >= operation.ended else reply

    def result(self, dialect: Dialect, request: web.BaseRequest, id: str) -> Reply:
        """Give the result of an operation."""
        if refused := self._unauthorized(dialect, request):
            return refused
        operation = self.operations.find(id, dialect.name)
        if operation:
            operation.results += 1
        if not operation or self.operations.is_forgotten(operation):
            return dialect.unknown(id)
        return dialect.result(id, operation, self.operations.now(), self._result_bytes)

    def cancel(self, dialect: Dialect, request: web.BaseRequest, id: str, fault: Fault | None) -> Reply:
        """End an operation and forget it, unless a fault prevents it; one that is unknown is fine as it is."""
        if refused := self._unauthorized(dialect, request):
            return refused
        operation = self.operations.find(id, dialect.name)
        if operation and (not fault or fault.done):
            self.operations.delete(operation)
        return Reply(200, b"")

    def _spent(self, dialect: Dialect) -> Reply | None:
        if self.quota == 0:
            return dialect.refusal(403, "The quota of the plan is used up.", "errorQuotaExceeded")
        return None

    def _unauthorized(self, dialect: Dialect, request: web.BaseRequest) -> Reply | None:
        if tokens.is_valid(request.headers.get("Authorization", "")):
            return None
        return dialect.refusal(401, "The access token is missing, invalid or expired.", "Unauthorized")


def _started(dialect: Dialect, request: web.BaseRequest, id: str) -> Reply:
    # The vendor's server quotes the id for those that ask for JSON only.
    if "application/json" in request.headers.get("Accept", ""):
        return Reply(dialect.started, json.dumps(id).encode())
    return Reply(dialect.started, id.encode(), "text/plain")
