"""What a service is to the server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from airflow_provider_docconv.sandbox.errors import ApiError
from airflow_provider_docconv.sandbox.operation import Operation
from airflow_provider_docconv.sandbox.operations import Operations
from airflow_provider_docconv.sandbox.settings import Settings
from airflow_provider_docconv.sandbox.storage import Storages


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

    def fonts(self, storage: str | None, folder: str | None) -> list[str]:
        """Give the folders with a request's own fonts."""
        if not folder:
            return []
        found = self.storages.get(storage)
        _, is_folder = found.exists(folder)
        return [str(found.locate(folder))] if is_folder else []
