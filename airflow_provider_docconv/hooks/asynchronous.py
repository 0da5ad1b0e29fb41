"""The hook and the client of a connection, for coroutines: triggers and asynchronous tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient
    from airflow_provider_docconv.client.settings import Settings
    from airflow_provider_docconv.hooks.docconv import Address, DocConvHook, Source
    from airflow_provider_docconv.services.operations import Operation, Started
    from airflow_provider_docconv.transfer.delivery import DeliveredFile


P = ParamSpec("P")
R = TypeVar("R")
# The defaults of DocConvHook, whose module takes too long to import in an event loop.
_DAY = 86_400.0
_FAULT_TOLERANCE = 900.0
_AT_ONCE = 8


class DocConvAsyncHook:
    """
    Does what :class:`~airflow_provider_docconv.hooks.docconv.DocConvHook` does, without blocking the event loop.

    Waiting is polling from the loop, over the session that all waits of a connection share. Documents and results are
    read and written by threads, a few at a time.

    Use :meth:`for_connection`, as for the other hook.

    :param hook: the blocking hook
    """

    def __init__(self, hook: DocConvHook) -> None:
        self.hook = hook

    @classmethod
    async def for_connection(cls, conn_id: str) -> Self:
        """
        Return the hook for a connection.

        :param conn_id: the connection
        :raises ConnectionNotFound: if Airflow does not find it
        :raises InvalidOptions: if it is not a connection to a conversion service
        """
        # The first import takes a tenth of a second, for which the event loop would do nothing else.
        module = await asyncio.to_thread(import_module, "airflow_provider_docconv.hooks.docconv")
        return cls(await sync_to_async(module.DocConvHook.for_connection)(conn_id))

    async def start(self, source: Source, target_format: str, options: Mapping[str, Any] | None = None) -> Started:
        """
        Start a conversion, as :meth:`DocConvHook.start` does, also if the caller is cancelled meanwhile.

        :param source: the document: a path, a URI that ``ObjectStoragePath`` takes, or one in the vendor's storage
        :param target_format: the format to convert to, as the vendor names it
        :param options: options under the vendor's names
        :return: the operation id, a text
        :raises StartReplyLost: if the service may have started it, but its reply was lost; it is not sent again
        :raises DocConvError: if the service refused it
        """
        return await _in_thread(self.hook.start, source, target_format, options)

    async def wait(
        self,
        operation_id: str,
        *,
        timeout: timedelta | float = _DAY,  # noqa: ASYNC109  # as in the other hook
        poke_interval: timedelta | float = 2.0,
        max_poke_interval: timedelta | float = 300.0,
        fault_tolerance: timedelta | float = _FAULT_TOLERANCE,
    ) -> Operation:
        """
        Wait until an operation has succeeded, as :meth:`DocConvHook.wait` does.

        :param operation_id: the operation
        :param timeout: seconds until the wait gives up
        :param poke_interval: the shortest time between two polls, in seconds; it grows with the operation's age
        :param max_poke_interval: the longest time between two polls, in seconds
        :param fault_tolerance: seconds for which polls may fail
        :return: the operation as the service last described it
        :raises DocConvError: as :meth:`DocConvHook.wait` does
        """
        from airflow_provider_docconv.exceptions import task_errors
        from airflow_provider_docconv.hooks.docconv import begin_wait
        from airflow_provider_docconv.polling import Outcome, apoll_until_ended, require_succeeded

        label = self.hook.service.label
        with task_errors(conn_id=self.hook.conn_id):
            wait = begin_wait(operation_id, label, timeout, poke_interval, max_poke_interval, fault_tolerance)

            async def tell(outcome: Outcome) -> None:
                if message := wait.changed_message(outcome):
                    self.hook.log.info("%s", message)

            async with async_client(self.hook.conn_id) as client:
                operation = await apoll_until_ended(client, wait, tell=tell)
            require_succeeded(operation, label)
            return operation

    async def download(self, operation_id: str, destination: Address, **options: Any) -> list[DeliveredFile]:
        """
        Stream the results of a successful operation to their destination, as :meth:`DocConvHook.download` does.

        :param operation_id: the operation
        :param destination: a path or URI. If its last part has an extension it names the file, else it is a folder
        :param options: ``source``, ``unpack``, ``cleanup`` and the others of :meth:`DocConvHook.download`
        :return: for each file its address (``uri``), length in bytes (``size``) and SHA-256 in hexadecimal (``sha256``)
        :raises DocConvError: as :meth:`DocConvHook.download` does
        """
        return await _in_thread(self.hook.download, operation_id, destination, **options)

    async def convert(
        self,
        source: Source,
        target_format: str,
        destination: Address,
        options: Mapping[str, Any] | None = None,
        *,
        timeout: timedelta | float = _DAY,  # noqa: ASYNC109  # as in the other hook
        poke_interval: timedelta | float = 2.0,
        max_poke_interval: timedelta | float = 300.0,
        unpack: bool = False,
        cleanup: bool = True,
    ) -> list[DeliveredFile]:
        """
        Convert a document, as :meth:`DocConvHook.convert` does: start, wait and download.

        :param source: the document, as in :meth:`start`
        :param target_format: the format to convert to, as the vendor names it
        :param destination: where the result goes, as in :meth:`download`
        :param options: options under the vendor's names
        :param timeout: seconds until the wait gives up, and cancels the operation where the service can
        :param poke_interval: the shortest time between two polls, in seconds
        :param max_poke_interval: the longest time between two polls, in seconds
        :param unpack: unpack an archive of page images
        :param cleanup: delete afterwards what the operation has left at the service, as far as possible
        :return: as :meth:`download`
        :raises DocConvError: as the three do
        """
        from airflow_provider_docconv.services.errors import DeadlineExceeded

        with self.hook.checked(source, target_format, destination, timeout):
            started = await self.start(source, target_format, options)
            try:
                await self.wait(
                    started, timeout=timeout, poke_interval=poke_interval, max_poke_interval=max_poke_interval
                )
            except DeadlineExceeded as error:
                await _in_thread(self.hook.cancel_late, started, error)
                raise
            return await self.download(started, destination, source=source, unpack=unpack, cleanup=cleanup)

    async def get_supported_formats(self, source_format: str | None = None) -> dict[str, list[str]]:
        """
        Get the target formats of each source format, in lower case.

        :param source_format: get those of this source format only
        :raises DocConvError: if the service does not answer
        """
        from airflow_provider_docconv.hooks.docconv import read_source_format

        wanted = read_source_format(source_format)
        async with async_client(self.hook.conn_id) as client:
            return await client.run(client.service.supported_formats(wanted))

    async def test_connection(self) -> tuple[bool, str]:
        """Log in, and return whether that worked, with a sentence about it."""
        return await _in_thread(self.hook.test_connection)


async def _in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a thread, from which it can ask Airflow's supervisor for connections."""
    return await sync_to_async(function, thread_sensitive=False, executor=_threads())(*args, **kwargs)


@cache
def _threads() -> ThreadPoolExecutor:
    # What hangs must not hold the loop's own threads, which resolve host names for all triggers.
    return ThreadPoolExecutor(_AT_ONCE, "docconv-hook")


@asynccontextmanager
async def async_client(conn_id: str) -> AsyncIterator[AsyncClient]:
    """
    Lend the client that all users of a connection in this event loop share.

    :param conn_id: the connection
    :raises ConnectionNotFound: if Airflow does not find it
    :raises InvalidOptions: if it is not a connection to a conversion service
    :raises TLSFailed: if the connection's file of trusted authorities can't be read
    """
    # The first import takes a tenth of a second, for which the event loop would do nothing else.
    client = await asyncio.to_thread(import_module, "airflow_provider_docconv.client.asynchronous")
    async with client.shared_async_client(await async_settings(conn_id)) as shared:
        yield shared


async def async_settings(conn_id: str) -> Settings:
    """
    Read a connection as it is now.

    :param conn_id: the connection
    :raises ConnectionNotFound: if Airflow does not find it
    :raises InvalidOptions: if it is not a connection to a conversion service
    """
    from airflow_provider_docconv.compat import BaseHook
    from airflow_provider_docconv.hooks.connections import lookup_errors, read_settings

    with lookup_errors(conn_id):
        # Not aget_connection, which fails on many releases of Airflow 3 while another coroutine asks the supervisor.
        return read_settings(await sync_to_async(BaseHook.get_connection)(conn_id))
