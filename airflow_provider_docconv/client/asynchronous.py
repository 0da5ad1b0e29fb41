"""The asynchronous client, for the triggerer."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakValueDictionary

import aiohttp
import certifi
from yarl import URL

from airflow_provider_docconv.client.account import account_of
from airflow_provider_docconv.client.conversation import MAX_REPLY, converse
from airflow_provider_docconv.client.failures import explain, scrub
from airflow_provider_docconv.client.retries import Failure, Fault
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.client.steps import Await, Send, Sleep, Talk
from airflow_provider_docconv.services.errors import DocConvError, TLSFailed, UnexpectedReply
from airflow_provider_docconv.services.messages import Flow, Reply

T = TypeVar("T")


class AsyncClient:
    """
    Runs flows over one session and with the connection's one token; all tasks of an event loop share it.

    It carries small requests only: documents and results pass through the worker, and so do logins through a thread.

    :param settings: the connection
    :param session: the session to use
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.service = settings.service()
        self._account = account_of(settings)
        self._session = session
        # Kept as long as this client, so that no other loop gets its id meanwhile.
        self._loop = asyncio.get_running_loop()
        #: How many share it now.
        self.users = 0

    async def run(self, flow: Flow[T]) -> T:
        """
        Run a flow to its end and return what it returns.

        :raises DocConvError: if the flow or the transport fails
        """
        return await self._drive(converse(flow, self._account))

    async def close(self) -> None:
        """Close the session."""
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
            return await asyncio.wrap_future(step.promise)
        try:
            return await self._send(step)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Failure(_fault(error), explain(error))

    async def _send(self, step: Send) -> Reply:
        request = step.request
        self._account.count(step.kind)
        data = b"".join(request.body.chunks()) if request.body else None
        url = URL(step.url, encoded=True).update_query(dict(request.query))
        async with self._session.request(
            request.method,
            url,
            headers=dict(step.headers),
            data=data,
            allow_redirects=False,
            proxy=_proxy(str(url.origin())),
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                body += chunk
                if len(body) > MAX_REPLY:
                    raise UnexpectedReply(f"{self.settings.label} answered with more than {MAX_REPLY >> 20} MiB")
            headers = {key.lower(): value for key, value in response.headers.items()}
            return Reply(response.status, headers, bytes(body))


# Held by their users only: those of a loop that was closed under them vanish with it.
_shared: WeakValueDictionary[tuple[int, Settings], AsyncClient] = WeakValueDictionary()


@asynccontextmanager
async def shared_async_client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """Share one client among all users of a connection in this event loop; the last one closes its session."""
    key = id(asyncio.get_running_loop()), settings
    client = _shared.get(key) or _shared.setdefault(key, AsyncClient(settings, _new_session(settings)))
    client.users += 1
    try:
        yield client
    finally:
        client.users -= 1
        if not client.users:
            del _shared[key]
            await client.close()


def _new_session(settings: Settings) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout, sock_read=settings.read_timeout)
    tls: ssl.SSLContext | bool = False
    if settings.verify:
        authorities = settings.verify if isinstance(settings.verify, str) else _trusted()
        try:
            tls = ssl.create_default_context(cafile=authorities)
        except OSError as error:
            raise TLSFailed(f"the file {authorities!r} of trusted authorities can't be read ({error})") from error
    connector = aiohttp.TCPConnector(ssl=tls, limit=settings.max_concurrent_calls)
    session = aiohttp.ClientSession(timeout=timeout, connector=connector)
    # Otherwise aiohttp repeats a PUT on its own when a reused connection breaks, and GroupDocs starts with a PUT.
    session._retry_connection = False
    return session


def _trusted() -> str:
    # As requests does, so that both clients trust the same authorities.
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()


@cache
def _proxy(origin: str) -> str | None:
    # Not aiohttp's trust_env, which would also put a .netrc password in the place of the token.
    parts = urlsplit(origin)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _fault(error: BaseException) -> Fault:
    if isinstance(error, aiohttp.ClientSSLError):
        return Fault.TLS
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    return Fault.NOT_SENT if isinstance(error, never_sent) else Fault.LOST
