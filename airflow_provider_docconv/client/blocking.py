"""The blocking client, for the worker."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

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
    SendStreaming,
    Sleep,
    StreamedReply,
    current_token,
    fetch_token,
    open_result,
    read_reply,
    run_flow,
    too_late,
)
from airflow_provider_docconv.client.results import ResultStream
from airflow_provider_docconv.client.session import Session, session_of
from airflow_provider_docconv.client.settings import Settings, without_proxies
from airflow_provider_docconv.client.watchdog import Call, watched
from airflow_provider_docconv.services.bodies import Body
from airflow_provider_docconv.services.errors import DocConvError, explain
from airflow_provider_docconv.services.http import Flow, Reply, Token
from airflow_provider_docconv.services.operations import ResultFile

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
_CHUNK = 1 << 20
_ENDED = Failure(Fault.LOST, "the reply took too long")


class Client:
    """
    Runs flows over one HTTP session with the connection's token; threads may share it.

    A context, which closes the HTTP session.

    :param settings: the connection
    :param on_token: is called with every new access token, for example to mask it in logs
    :param host: where it sends to, for the proxy: the service, unless it logs in elsewhere
    """

    def __init__(
        self, settings: Settings, on_token: Callable[[str], object] | None = None, host: str | None = None
    ) -> None:
        self.settings = settings
        self.service = settings.service()
        self._session = session_of(settings)
        self._http = _new_http_session(settings, host or settings.base_url)
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

    def run(self, flow: Flow[T], until: float | None = None) -> T:
        """
        Run a flow to its end and return what it returns.

        :param flow: the flow
        :param until: when to end it, in seconds since the epoch. A start that has been sent is not ended, because its
            outcome would be unknown; it gets the time of any small reply
        :raises DocConvError: if the flow or the transport fails, or the time is up
        """
        return self._drive(run_flow(flow, self._session), until)

    @contextmanager
    def open_result(
        self, file: ResultFile, until: float | None = None
    ) -> Iterator[tuple[ResultStream, Iterator[bytes]]]:
        """
        Open a result for streaming: its metadata, and its decoded bytes.

        :param file: the result
        :param until: when to end it, in seconds since the epoch
        :raises DocConvError: if the service refuses, the result breaks off while it is read, or the time is up
        """
        opened = self._drive(open_result(file, self._session), until)
        with opened.call, opened.response:
            stream = ResultStream(file, opened.headers, self.settings.label)
            yield stream, _decoded(stream, opened)

    def log_in(self) -> None:
        """
        Log in with the connection's credentials, even if there is a token, where the service has a login.

        :raises DocConvError: if that fails
        """
        if self.settings.info.authentication.token_path:
            self._session.forget_login()
            self._drive(current_token(self._session))

    def _drive(self, exchange: Exchange[T], until: float | None = None) -> T:
        deadline = inf if until is None else monotonic() + until - time.time()
        outcome: Any = None
        try:
            while True:
                effect = exchange.send(outcome)
                if monotonic() >= deadline:
                    raise too_late(self.settings.label)
                outcome = self._perform(effect, deadline)
        except StopIteration as end:
            result: T = end.value
            return result
        except DocConvError as error:
            self._session.complete(error)
            raise

    def _perform(self, effect: Effect, deadline: float) -> Any:
        match effect:
            case Send():
                return self._send(effect, deadline)
            case Sleep(seconds):
                time.sleep(max(0.0, min(seconds, deadline - monotonic())))
            case Acquire(rate_limit):
                return rate_limit.acquire()
            case LogIn(refused):
                login = self._session.log_in(log_in, refused)
                try:
                    return login.result(None if deadline == inf else max(0.0, deadline - monotonic()))
                except TimeoutError:
                    raise too_late(self.settings.label) from None
        return None

    def _send(self, send: Send, deadline: float) -> Reply | StreamedReply | Failure:
        self._session.count(send.kind)
        upload = _Upload(send.request.body) if send.request.body else None
        call = Call(deadline, self.settings.read_timeout, may_be_cut=send.request.repeatable)
        with ExitStack() as stack:
            stack.enter_context(call)
            try:
                response = stack.enter_context(self._request(send, upload))
                headers = {key.lower(): value for key, value in response.headers.items()}
                if isinstance(send, SendStreaming) and response.status_code == 200:
                    call.streams()
                    stack.pop_all()
                    return StreamedReply(response.status_code, headers, response, call)
                body = _read(response)
                if call.was_ended:  # http.client takes the end of a connection for the end of the headers.
                    return _ENDED
                return TOO_LONG if body is None else read_reply(response.status_code, headers, body)
            except DocConvError:
                raise
            except Exception as error:  # Odd replies make the libraries raise ValueErrors and others.
                whole = upload is None or upload.is_sent
                if call.was_ended:
                    return _ENDED if whole else replace(_ENDED, fault=Fault.NOT_SENT)
                # Only an error of the connection itself may come too late to tell.
                never_sent = not whole and not isinstance(error, OSError | HTTPError)
                return Failure(Fault.NOT_SENT if never_sent else _fault(error), without_proxies(explain(error)))

    def _request(self, send: Send, upload: _Upload | None) -> requests.Response:
        return self._http.request(
            send.request.method,
            send.url,
            params=dict(send.request.query),
            headers=dict(send.headers),
            data=upload,
            timeout=(self.settings.connect_timeout, self.settings.read_timeout),
            verify=self.settings.authorities,
            allow_redirects=False,
            stream=True,
        )


@lru_cache(maxsize=64)
def shared_client(settings: Settings, on_token: Callable[[str], object] | None = None) -> Client:
    """Return this process's client for a connection."""
    return Client(settings, on_token)


# A socket must not be used by two processes.
os.register_at_fork(after_in_child=shared_client.cache_clear)


def log_in(session: Session) -> Token:
    """
    Log in over an HTTP session of its own. Both clients log in this way, in the session's thread.

    :raises DocConvError: if that fails
    """
    with Client(session.settings, host=session.settings.token_url) as client:
        return client._drive(fetch_token(session))


def _new_http_session(settings: Settings, host: str) -> requests.Session:
    session = _HttpSession()
    # Not anew for each request, which is an eighth of its processor time (measured).
    session.trust_env = False
    session.proxies = get_environ_proxies(host, no_proxy=None)
    # A thread waits while all connections are in use.
    adapter = _WatchedAdapter(pool_maxsize=settings.max_concurrent_calls, pool_block=True)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    # A .netrc would replace the token with a password.
    session.auth = _keep_authorization
    return session


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _HttpSession(requests.Session):
    """A session to which no reply is a redirect: requests would read its body, however long, and parse its target."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: redirects are not followed."""


class _WatchedAdapter(HTTPAdapter):
    """An adapter whose connections are watched."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of connections."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = watched(pool.ConnectionCls)
        return pool


class _Upload:
    """A body in the form that requests takes: iterable, and with its length if that is known."""

    def __init__(self, body: Body) -> None:
        self._body = body
        #: Whether all of it was handed over to be sent.
        self.is_sent = False
        if body.length is not None:
            self.len = body.length

    def __iter__(self) -> Iterator[bytes]:
        # An empty piece would end a chunked body.
        yield from filter(None, self._body.chunks())
        self.is_sent = True


def _read(response: requests.Response) -> bytes | None:
    """Read a small reply as it was sent; return None if it is too long."""
    body = bytearray()
    for chunk in response.raw.stream(65536, decode_content=False):
        body += chunk
        if len(body) > MAX_REPLY:
            return None
    return bytes(body)


def _decoded(stream: ResultStream, opened: StreamedReply) -> Iterator[bytes]:
    pieces = opened.response.iter_content(_CHUNK)
    while True:
        try:
            chunk = next(pieces, None)
        except Exception as error:  # The libraries raise ValueErrors and others, for example for a negative length.
            words = "the time is up" if opened.call.was_ended else explain(error)
            raise stream.truncated(words) from error
        # Where no length was announced, the end of the connection looks like that of the body.
        if opened.call.was_ended:
            raise stream.truncated("the time is up")
        if chunk is None:
            break
        if data := stream.feed(chunk):
            yield data
    stream.close()


def _fault(error: Exception) -> Fault:
    # Of that plain type, requests raises one: the file of authorities can't be read.
    if isinstance(error, requests.exceptions.SSLError) or type(error) is OSError:
        return Fault.TLS
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    never_sent = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.InvalidURL)
    return Fault.NOT_SENT if isinstance(reason, NewConnectionError) or isinstance(error, never_sent) else Fault.LOST
