"""The asynchronous client, for the triggerer."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from math import inf
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from airflow_provider_docconv.client.blocking import log_in
from airflow_provider_docconv.client.exchange import (
    MAX_REPLY,
    TOO_LONG,
    Acquire,
    Effect,
    Exchange,
    Failure,
    Fault,
    LogIn,
    Send,
    Sleep,
    read_reply,
    run_flow,
    too_late,
)
from airflow_provider_docconv.client.session import session_of
from airflow_provider_docconv.client.settings import Settings, without_proxies
from airflow_provider_docconv.services.errors import DocConvError, explain
from airflow_provider_docconv.services.http import Flow, Reply

T = TypeVar("T")


class AsyncClient:
    """
    Runs flows over one HTTP session with the connection's token; all tasks of an event loop share it.

    It carries small requests only: documents and results pass through the worker.

    :param settings: the connection
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service = settings.service()
        self._session = session_of(settings)
        self._proxy = _proxy(settings.base_url)
        self._http: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()
        # Not the connector's limit: the time of a call begins when it has its turn.
        self._turns = asyncio.Semaphore(settings.max_concurrent_calls)
        # Kept alive, so that no other loop can get its id.
        self._loop = asyncio.get_running_loop()
        #: How many users share it now.
        self.users = 0

    async def open(self) -> None:
        """
        Open the HTTP session, unless it is open.

        :raises TLSFailed: if the file of trusted authorities can't be read
        """
        # A thousand tasks may wait here after a restart; the lock lets one of them go on in each turn of the loop.
        async with self._opening:
            if self._http is None:
                tls = await asyncio.to_thread(self.settings.tls_context)
                self._http = _new_http_session(self.settings, tls)

    async def run(self, flow: Flow[T], until: float | None = None) -> T:
        """
        Run a flow to its end and return what it returns.

        :param flow: the flow
        :param until: when to end it, in seconds since the epoch. A start that has been sent is not ended, because its
            outcome would be unknown; it gets the time of any small reply
        :raises DocConvError: if the flow or the transport fails, or the time is up
        """
        return await self._drive(run_flow(flow, self._session), until)

    async def close(self) -> None:
        """Close the HTTP session."""
        if self._http:
            await self._http.close()

    async def _drive(self, exchange: Exchange[T], until: float | None) -> T:
        deadline = inf if until is None else monotonic() + until - time.time()
        outcome: Any = None
        try:
            while True:
                effect = exchange.send(outcome)
                if monotonic() >= deadline:
                    raise too_late(self.settings.label)
                outcome = await self._perform(effect, deadline)
        except StopIteration as end:
            result: T = end.value
            return result
        except DocConvError as error:
            self._session.complete(error)
            raise

    async def _perform(self, effect: Effect, deadline: float) -> Any:
        match effect:
            case Send():
                try:
                    async with self._turns:
                        return await self._send(effect, deadline)
                except DocConvError:
                    raise
                except Exception as error:  # Odd replies make the library raise ValueErrors and others.
                    late = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)
                    words = "the reply took too long" if late else without_proxies(explain(error))
                    return Failure(_fault(error), words)
            case Sleep(seconds):
                await asyncio.sleep(max(0.0, min(seconds, deadline - monotonic())))
            case Acquire(rate_limit):
                return await rate_limit.acquire_async()
            case LogIn(refused):
                login = asyncio.wrap_future(self._session.log_in(log_in, refused))
                try:
                    async with asyncio.timeout(None if deadline == inf else deadline - monotonic()):
                        return await login
                except TimeoutError:
                    raise too_late(self.settings.label) from None
        return None

    async def _send(self, send: Send, deadline: float) -> Reply | Failure:
        assert self._http  # noqa: S101 - shared_async_client has opened it
        request = send.request
        self._session.count(send.kind)
        seconds = self.settings.connect_timeout + self.settings.read_timeout
        if request.repeatable:
            seconds = min(seconds, deadline - monotonic())
        # The timeouts of aiohttp would bound its parts only: a server may send a byte now and then.
        async with (
            asyncio.timeout(seconds),
            self._http.request(
                request.method,
                _url(send.url, tuple(request.query.items())),
                headers=send.headers,
                data=b"".join(request.body.chunks()) if request.body else None,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response,
        ):
            body = bytearray()
            while chunk := await response.content.readany():
                body += chunk
                if len(body) > MAX_REPLY:
                    return TOO_LONG
            headers = {key.lower(): value for key, value in response.headers.items()}
            return read_reply(response.status, headers, bytes(body))


# Only their users hold them: the clients of a loop that was closed under its tasks vanish with it.
_shared: WeakValueDictionary[tuple[int, Settings], AsyncClient] = WeakValueDictionary()


@asynccontextmanager
async def shared_async_client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """
    Share one client among all users of a connection in this event loop; the last one closes its HTTP session.

    :param settings: the connection
    :raises TLSFailed: if the file of trusted authorities can't be read
    """
    key = id(asyncio.get_running_loop()), settings
    client = _shared.get(key) or _shared.setdefault(key, AsyncClient(settings))
    client.users += 1
    try:
        await client.open()
        yield client
    finally:
        client.users -= 1
        if not client.users:
            del _shared[key]
            await client.close()


def _new_http_session(settings: Settings, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout, sock_read=settings.read_timeout)
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    # Codings are removed where a limit holds, the same one for both clients.
    session = aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False)
    # Since 3.11 aiohttp sends a PUT again by itself when a reused connection breaks, but GroupDocs starts with a PUT.
    session._retry_connection = False
    return session


# All polls of a wait use one URL, which keeps what aiohttp computes about it: 5 microseconds a poll (measured).
@lru_cache(maxsize=4096)
def _url(address: str, query: tuple[tuple[str, str], ...]) -> URL:
    url = URL(address, encoded=True)
    return url.update_query(query) if query else url


def _proxy(address: str) -> str | None:
    # Not with aiohttp's trust_env, which would also replace the token with a password from .netrc.
    parts = urlsplit(address)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _fault(error: BaseException) -> Fault:
    if isinstance(error, aiohttp.ClientSSLError):
        return Fault.TLS
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    return Fault.NOT_SENT if isinstance(error, never_sent) else Fault.LOST
