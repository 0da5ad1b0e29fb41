"""What a service is to the server."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from docconv_sandbox import wire
from docconv_sandbox.errors import ApiError
from docconv_sandbox.operation import Operation, now
from docconv_sandbox.operations import Operations
from docconv_sandbox.settings import Settings
from docconv_sandbox.storage import Storages


@dataclass(frozen=True)
class Context:
    """What every service works with.

    :param settings: the sandbox's settings
    :param operations: the queue
    """

    settings: Settings
    operations: Operations


class Service(ABC):
    """One vendor protocol.

    :param context: what it works with
    """

    name: ClassVar[str]
    prefix: ClassVar[str]

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Give the routes it serves."""

    @abstractmethod
    def refuse(self, error: ApiError) -> web.Response:
        """Put a refusal in the vendor's words."""

    def find(self, id: str | None) -> Operation | None:
        """Find one of this service's own operations."""
        operation = self.context.operations.find(id or "")
        return operation if operation is not None and operation.service == self.name else None


class StoringService(Service):
    """A service with cloud storages of its own.

    :param context: what it works with
    :param storages: the storages
    """

    def __init__(self, context: Context, storages: Storages) -> None:
        super().__init__(context)
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

    def ensure_result(self, operation: Operation, word: str) -> Path:
        """Give the result to download.

        :param operation: the operation
        :param word: the service's word for its state
        """
        if operation.result is None:
            why = "its result is in the storage" if operation.stored else f"it is {word}"
            raise ApiError(400, f"The operation has no result to download: {why}.", "errorInvalidOperation")
        return operation.result

    def fonts(self, storage: str | None, folder: str | None) -> list[str]:
        """Give the folders with a request's own fonts."""
        if not folder:
            return []
        found = self.storages.get(storage)
        _, is_folder = found.exists(folder)
        return [str(found.locate(folder))] if is_folder else []
