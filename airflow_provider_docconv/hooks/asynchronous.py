"""The client of a connection, for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient
    from airflow_provider_docconv.client.settings import Settings


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
