"""What a service is to the server, and what all services do alike."""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.account import Connections
from docconv_sandbox.auth import Auth
from docconv_sandbox.bodies import Source, Upload, receive
from docconv_sandbox.echo import Echo
from docconv_sandbox.errors import ApiError
from docconv_sandbox.faults import Faults
from docconv_sandbox.job import Job, Outcome
from docconv_sandbox.operations import Operation, Operations, Stored, now
from docconv_sandbox.settings import Settings
from docconv_sandbox.storage import Storages


class Starts:
    """
    Starts operations, unless something stands in the way.

    :param operations: the queue.
    :param faults: the faults.
    :param connections: are told which connection waits for which reply.
    """

    def __init__(self, operations: Operations, faults: Faults, connections: Connections) -> None:
        self._operations = operations
        self._faults = faults
        self._connections = connections
        #: How many operations may still be started, None for any number.
        self.quota: int | None = None

    def submit(
        self,
        request: web.Request,
        operation: Operation,
        prepare: Callable[[Operation], Job],
        deliver: Callable[[Operation, Outcome], list[Stored]] | None,
    ) -> None:
        """Start an operation whose source has come; a fault may prevent it without anyone noticing yet."""
        if operation.digest:
            self._operations.account.starts[operation.digest] += 1
        if self.quota == 0:
            raise ApiError(403, "The quota of the plan is used up.", "errorQuotaExceeded")
        call = wire.CALL.get()
        fault = call.fault = self._faults.take_loss(operation.digest) or call.fault
        if fault and not fault.done:
            operation.discard()
            return
        if self.quota is not None:
            self.quota -= 1
        entry = self._operations.submit(operation, prepare, deliver)
        if fault and fault.loses_reply:
            entry.lost = "fault"
        self._connections.started(request.protocol, entry)


class Service(ABC):
    """
    One vendor protocol.

    :param settings: the sandbox's settings.
    :param operations: the queue.
    :param starts: starts operations.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    #: What sort of call each handler serves; all others are calls to the storage.
    SORTS: ClassVar[dict[str, str]]
    #: Whether it asks for a token of the common login.
    has_tokens: ClassVar[bool] = True

    def __init__(self, settings: Settings, operations: Operations, starts: Starts) -> None:
        self.settings = settings
        self.operations = operations
        self.starts = starts

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Give the routes it serves."""

    @abstractmethod
    def refuse(self, error: ApiError) -> web.Response:
        """Put a refusal in the vendor's words."""

    def admits(self, request: web.Request, auth: Auth) -> bool:
        """Tell whether a request carries good credentials: a token of the common login."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and auth.is_valid(token.strip())

    async def receive(self, request: web.Request, operation: Operation) -> Upload:
        """Take in a start's body: documents and options."""
        settings = self.settings
        upload = await receive(request, operation.folder, settings.max_upload, keep=not settings.echoes)
        operation.set_source(upload.source)
        return upload

    def find(self, request: web.Request, id: str | None) -> Operation | None:
        """Find one of this service's own operations, and keep account of who asks for it."""
        id = (id or "").lower()
        entry = self.operations.account.entries.get(id)
        operation = self.operations.find(id)
        if entry is None or entry.service != self.name:
            return None
        sort = self.SORTS.get(request.match_info.handler.__name__)
        entry.polls += sort == "status"
        entry.results += sort == "result"
        call = wire.CALL.get()
        if operation and call.fault and call.fault.kind == "forget":
            operation.forgotten = True
            operation = None
        if operation and sort == "status" and operation.state.is_terminal:
            call.told = entry
        return operation


class StoringService(Service):
    """
    A service with cloud storages of its own.

    :param settings: the sandbox's settings.
    :param operations: the queue.
    :param starts: starts operations.
    :param storages: the storages.
    """

    def __init__(self, settings: Settings, operations: Operations, starts: Starts, storages: Storages) -> None:
        super().__init__(settings, operations, starts)
        self.storages = storages

    def refuse(self, error: ApiError) -> web.Response:
        body = {
            "code": error.code,
            "message": error.message,
            "description": error.message,
            "dateTime": wire.stamp(now()),
            "innerError": None,
        }
        return web.json_response({"requestId": str(uuid.uuid4()), "error": body}, status=error.status)

    def ensure_result(self, operation: Operation, word: str) -> Path | Echo:
        """
        Give the result to download.

        :param operation: the operation.
        :param word: the service's word for its state.
        """
        result = operation.result
        if result is None:
            why = "its result is in the storage" if operation.stored else f"it is {word}"
            raise ApiError(400, f"The operation has no result to download: {why}.", "errorInvalidOperation")
        return result

    def fonts(self, storage: str | None, folder: str | None) -> list[str]:
        """Give the folders with a request's own fonts."""
        if not folder:
            return []
        found = self.storages.get(storage)
        _, is_folder = found.exists(folder)
        return [str(found.locate(folder))] if is_folder else []


async def read_source(source: Source, *paths: Path) -> Source:
    """Read the files that are a source, as far as they are there."""

    def read() -> Source:
        for path in paths:
            source.read(path)
        return source

    return await asyncio.to_thread(read)
