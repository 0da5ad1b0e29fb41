"""The asynchronous client, for the triggerer."""

from __future__ import annotations

import asyncio
import copy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import lru_cache, partial
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from airflow_provider_docconv.client.account import account_of
from airflow_provider_docconv.client.conversation import MAX_REPLY, converse
from airflow_provider_docconv.client.promises import in_thread, kept
from airflow_provider_docconv.client.retries import Failure, Fault
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.client.steps import Await, Send, Sleep, Talk
from airflow_provider_docconv.client.trust import tls_context
from airflow_provider_docconv.services.errors import DocConvError, UnexpectedReply, explain, scrub
from airflow_provider_docconv.services.http import Flow, Reply

T = TypeVar("T")


class AsyncClient:
    """
    Runs flows over one session and with the connection's one token; all tasks of an event loop share it.

    It carries small requests only: documents and results pass through the worker, and so do logins through a thread.

    :param settings: the connection
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service = settings.service()
        self._account = account_of(settings)
        self._tls = in_thread(partial(tls_context, settings), "docconv-tls")
        self._proxy = _proxy(settings.base_url)
        self._session: aiohttp.ClientSession | None = None
        self._door = asyncio.Lock()
        # Kept as long as this client, so that no other loop gets its id meanwhile.
        self._loop = asyncio.get_running_loop()
        #: How many share it now.
        self.users = 0

    async def open(self) -> None:
        """
        Open the session, if nobody has yet.

        :raises TLSFailed: if the file of trusted authorities can't be read
        """
        # One after the other, each in a turn of the loop of its own: a thousand may wait for it.
        async with self._door:
            try:
                tls = await kept(self._tls)
            except DocConvError as error:
                raise copy.copy(error) from error  # Each who waited adds the operation of its own.
            self._session = self._session or _new_session(self.settings, tls)

    async def run(self, flow: Flow[T]) -> T:
        """
        Run a flow to its end and return what it returns.

        :raises DocConvError: if the flow or the transport fails
        """
        return await self._drive(converse(flow, self._account))

    async def close(self) -> None:
        """Close the session."""
        if self._session:
            await self._session.close()

    async def _drive(self, talk: Talk[T]) -> T:
        outcome: Any = None
        with closing(talk):
            try:
                while True:
                    outcome = await self._do(talk.send(outcome))
            except StopIteration as end:
                result: T = end.value
                return result
            except DocConvError as error:
                scrub(error, *self._account.secrets)
                raise

    async def _do(self, step: Send | Sleep | Await) -> Any:
        if isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Await):
            return await kept(step.promise)
        try:
            return await self._send(step)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Failure(_fault(error), explain(error))

    async def _send(self, step: Send) -> Reply:
        assert self._session  # noqa: S101 - whoever lends the client has opened it
        request = step.request
        self._account.count(step.kind)
        url = _url(step.url)
        async with self._session.request(
            request.method,
            url.update_query(dict(request.query)) if request.query else url,
            headers=step.headers,
            data=b"".join(request.body.chunks()) if request.body else None,
            allow_redirects=False,
            proxy=self._proxy,
        ) as response:
            body = bytearray()
            while chunk := await response.content.readany():
                body += chunk
                if len(body) > MAX_REPLY:
                    raise UnexpectedReply(f"{self.settings.label} answered with more than {MAX_REPLY >> 20} MiB")
            headers = {key.lower(): value for key, value in response.headers.items()}
            return Reply(response.status, headers, bytes(body))


# Held by their users only: those of a loop that was closed under them vanish with it.
_shared: WeakValueDictionary[tuple[int, Settings], AsyncClient] = WeakValueDictionary()


@asynccontextmanager
async def shared_async_client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """
    Share one client among all users of a connection in this event loop; the last one closes its session.

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


def _new_session(settings: Settings, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout, sock_read=settings.read_timeout)
    connector = aiohttp.TCPConnector(ssl=tls, limit=settings.max_concurrent_calls)
    session = aiohttp.ClientSession(timeout=timeout, connector=connector)
    # Otherwise aiohttp repeats a PUT on its own when a reused connection breaks, and GroupDocs starts with a PUT. It
    # has this since 3.11.
    session._retry_connection = False
    return session


# All polls of a wait ask the same one, and it keeps what aiohttp works out about it: 5 microseconds a poll (measured).
@lru_cache(maxsize=4096)
def _url(text: str) -> URL:
    return URL(text, encoded=True)


def _proxy(address: str) -> str | None:
    # Not aiohttp's trust_env, which would also put a .netrc password in the place of the token.
    parts = urlsplit(address)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _fault(error: BaseException) -> Fault:
    if isinstance(error, aiohttp.ClientSSLError):
        return Fault.TLS
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    return Fault.NOT_SENT if isinstance(error, never_sent) else Fault.LOST
