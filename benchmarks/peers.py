"""
How other providers poll a service from a triggerer: the pattern of each in its simplest form, at its best.

They get a token to start with, because their services take one that lasts, and share one TLS context where the library
lets them.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import aiohttp
import httpx
import requests

#: Asks a URL and returns the status of the operation that it is about.
Ask: TypeAlias = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def session_per_poll(authority: str, headers: dict[str, str]) -> AsyncIterator[Ask]:
    """Open a session of aiohttp for each poll, as the providers for dbt Cloud, HTTP and BigQuery do."""
    tls = ssl.create_default_context(cafile=authority)

    async def ask(url: str) -> str:
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url, ssl=tls) as response:
            return str((await response.json())["status"])

    yield ask


@asynccontextmanager
async def requests_in_threads(authority: str, headers: dict[str, str]) -> AsyncIterator[Ask]:
    """Let the loop's threads call a hook that opens a session of requests for each call."""

    def get(url: str) -> str:
        return str(requests.get(url, headers=headers, verify=authority, timeout=60).json()["status"])

    async def ask(url: str) -> str:
        return await asyncio.to_thread(get, url)

    yield ask


@asynccontextmanager
async def one_httpx_client(authority: str, headers: dict[str, str]) -> AsyncIterator[Ask]:
    """Share one client of httpx among all, which is the best that can be done with it."""
    tls = ssl.create_default_context(cafile=authority)
    async with httpx.AsyncClient(headers=headers, verify=tls, timeout=60, trust_env=False) as client:

        async def ask(url: str) -> str:
            return str((await client.get(url)).json()["status"])

        yield ask


@asynccontextmanager
async def one_session(authority: str, headers: dict[str, str]) -> AsyncIterator[Ask]:
    """Share one session of aiohttp among all, and do nothing else: the floor of what this provider can come to."""
    tls = ssl.create_default_context(cafile=authority)
    connector = aiohttp.TCPConnector(ssl=tls, limit=20)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def ask(url: str) -> str:
            async with session.get(url) as response:
                return str((await response.json())["status"])

        yield ask


PEERS = {
    "aiohttp, one bare session": one_session,
    "aiohttp, a session per poll": session_per_poll,
    "requests in threads": requests_in_threads,
    "one httpx.AsyncClient": one_httpx_client,
}


async def wait(ask: Ask, url: str, interval: float, polls: Counter[str]) -> None:
    """
    Poll until an operation has ended.

    :param ask: asks
    :param url: what to ask
    :param interval: the time between two polls, in seconds
    :param polls: counts them, as ``status``
    """
    while True:
        await asyncio.sleep(interval)
        status = await ask(url)
        polls["status"] += 1
        if status not in {"Created", "Enqueued", "Started"}:
            return
