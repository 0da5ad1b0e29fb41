"""The blocking client, for the worker."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from airflow_provider_docconv.client.exchange import (
    MAX_REPLY,
    Acquire,
    Effect,
    Exchange,
    Failure,
    Fault,
    LogIn,
    Send,
    SendStreaming,
    Sleep,
    StreamedReply,
    current_token,
    fetch_token,
    open_result,
    reply_too_long,
    run_flow,
)
from airflow_provider_docconv.client.results import ResultStream
from airflow_provider_docconv.client.session import Session, session_of
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.bodies import Body
from airflow_provider_docconv.services.errors import DocConvError, explain
from airflow_provider_docconv.services.http import Flow, Reply, Token
from airflow_provider_docconv.services.operations import ResultFile

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
_CHUNK = 1 << 20


class Client:
    """
    Runs flows over one HTTP session and with the connection's one token; threads may share it.

    A context, which closes the HTTP session.

    :param settings: the connection
    :param on_token: is told every new access token, for example to mask it in logs
    """

    def __init__(self, settings: Settings, on_token: Callable[[str], object] | None = None) -> None:
        self.settings = settings
        self.service = settings.service()
        self._session = session_of(settings)
        self._http = _new_http_session(settings)
        if on_token:
            self._session.add_listener(on_token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def calls(self) -> Counter[str]:
        """How many requests this process has sent over the connection so far, by kind; the vendors bill them."""
        return self._session.calls

    def run(self, flow: Flow[T]) -> T:
        """
        Run a flow to its end and return what it returns.

        :raises DocConvError: if the flow or the transport fails
        """
        return self._drive(run_flow(flow, self._session))

    @contextmanager
    def open_result(self, file: ResultFile) -> Iterator[tuple[ResultStream, Iterator[bytes]]]:
        """
        Open a result for streaming: what is known of it, and its decoded bytes.

        :raises DocConvError: if the service refuses, or the result breaks off while it is read
        """
        opened = self._drive(open_result(file, self._session))
        with opened.response:
            stream = ResultStream(file, opened.headers, self.settings.label)
            yield stream, _decoded(stream, opened.response)

    def log_in(self) -> None:
        """
        Log in with the connection's credentials, whatever token there is.

        :raises DocConvError: if that fails
        """
        self._session.forget_login()
        self._drive(current_token(self._session))

    def _drive(self, exchange: Exchange[T]) -> T:
        outcome: Any = None
        try:
            while True:
                outcome = self._perform(exchange.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result
        except DocConvError as error:
            self._session.scrub(error)
            raise

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Send():
                try:
                    return self._send(effect)
                except OSError as error:
                    return Failure(_fault(error), explain(error))
            case Sleep(seconds):
                time.sleep(seconds)
            case Acquire(rate_limit):
                return rate_limit.acquire()
            case LogIn(refused):
                return self._session.log_in(log_in, refused).result()
        return None

    def _send(self, send: Send) -> Reply | StreamedReply:
        request = send.request
        self._session.count(send.kind)
        response = self._http.request(
            request.method,
            send.url,
            params=dict(request.query),
            headers=dict(send.headers),
            data=None if request.body is None else _Upload(request.body),
            timeout=(self.settings.connect_timeout, self.settings.read_timeout),
            # Given with each request, because an environment variable would override the session's.
            verify=self.settings.verify,
            allow_redirects=False,
            stream=True,
        )
        headers = {key.lower(): value for key, value in response.headers.items()}
        if isinstance(send, SendStreaming) and 200 <= response.status_code < 300:
            return StreamedReply(response.status_code, headers, response)
        with response:
            return Reply(response.status_code, headers, _read(response, self.settings.label))


@lru_cache(maxsize=64)
def shared_client(settings: Settings, on_token: Callable[[str], object] | None = None) -> Client:
    """Return this process's one client for a connection."""
    return Client(settings, on_token)


# A socket must not be used by two processes.
os.register_at_fork(after_in_child=shared_client.cache_clear)


def log_in(session: Session) -> Token:
    """
    Log in over an HTTP session of its own. Both clients log in this way, in the session's thread.

    :raises DocConvError: if that fails
    """
    with Client(session.settings) as client:
        return client._drive(fetch_token(session))


def _new_http_session(settings: Settings) -> requests.Session:
    session = requests.Session()
    # A thread waits while all connections are in use.
    adapter = HTTPAdapter(pool_maxsize=settings.max_concurrent_calls, pool_block=True)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    # A .netrc would replace the token with somebody's password.
    session.auth = _keep_authorization
    return session


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Upload:
    """A body in the form that requests takes: iterable, and with its length if that is known."""

    def __init__(self, body: Body) -> None:
        self._body = body
        if body.length is not None:
            self.len = body.length

    def __iter__(self) -> Iterator[bytes]:
        # An empty piece would end a chunked body.
        return filter(None, self._body.chunks())


def _read(response: requests.Response, service: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_REPLY:
            raise reply_too_long(service)
    return bytes(body)


def _decoded(stream: ResultStream, response: requests.Response) -> Iterator[bytes]:
    try:
        for chunk in response.iter_content(_CHUNK):
            if data := stream.feed(chunk):
                yield data
    except requests.RequestException as error:
        raise stream.truncated(explain(error)) from error
    stream.close()


def _fault(error: OSError) -> Fault:
    # The errors of requests are OSErrors; any other one says that the file of authorities can't be read.
    if isinstance(error, requests.exceptions.SSLError) or not isinstance(error, requests.RequestException):
        return Fault.TLS
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    never_sent = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.InvalidURL)
    return Fault.NOT_SENT if isinstance(reason, NewConnectionError) or isinstance(error, never_sent) else Fault.LOST
