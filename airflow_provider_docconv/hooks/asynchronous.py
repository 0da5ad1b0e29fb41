"""The client of a connection, for coroutines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_docconv.client.promises import in_thread, kept

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient
    from airflow_provider_docconv.client.settings import Settings

# Among it is what Airflow and Python import at their first use only.
_NEEDED = (
    "encodings.idna",
    "airflow.providers.common.compat.connection",
    "airflow_provider_docconv.hooks.connections",
    "airflow_provider_docconv.client.asynchronous",
)

_doors: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@asynccontextmanager
async def async_client(conn_id: str) -> AsyncIterator[AsyncClient]:
    """
    Lend the client that all users of a connection in this event loop share.

    :param conn_id: the connection
    :raises ConnectionNotFound: if Airflow does not find it
    :raises InvalidOptions: if it is not a connection to a conversion service
    :raises TLSFailed: if the connection's file of trusted authorities can't be read
    """
    # One after the other, each in a turn of the loop of its own: a thousand triggers start at once after a restart.
    async with _doors.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        await kept(_loaded())
        await asyncio.sleep(0)
        settings = await async_settings(conn_id)
    from airflow_provider_docconv.client.asynchronous import shared_async_client

    async with shared_async_client(settings) as client:
        yield client


async def async_settings(conn_id: str) -> Settings:
    """
    Read a connection as it is now.

    :param conn_id: the connection
    :raises ConnectionNotFound: if Airflow does not find it
    :raises InvalidOptions: if it is not a connection to a conversion service
    """
    from airflow.providers.common.compat.connection import get_async_connection

    from airflow_provider_docconv.hooks.connections import looking_up, read_settings

    with looking_up(conn_id):
        return read_settings(await get_async_connection(conn_id))


@cache
def _loaded() -> Future[None]:
    """Promise that everything is imported that a wait needs, once for all who wait: it takes a tenth of a second."""
    return in_thread(_load, "docconv-import")


# The thread stays in the parent.
os.register_at_fork(after_in_child=_loaded.cache_clear)


def _load() -> None:
    for module in _NEEDED:
        import_module(module)
