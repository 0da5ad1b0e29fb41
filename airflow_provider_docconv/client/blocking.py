"""The blocking client, for the worker."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from airflow_provider_docconv.client.conversation import (
    MAX_REPLY,
    GetToken,
    Open,
    Send,
    Sleep,
    Stream,
    Talk,
    converse,
    log_in,
    open_result,
)
from airflow_provider_docconv.client.failures import explain, scrub
from airflow_provider_docconv.client.logins import Logins
from airflow_provider_docconv.client.results import ResultStream
from airflow_provider_docconv.client.retries import Failure, Fault
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.auth import Token
from airflow_provider_docconv.services.bodies import Body
from airflow_provider_docconv.services.errors import AuthenticationFailed, DocConvError, UnexpectedReply
from airflow_provider_docconv.services.messages import Flow, Reply
from airflow_provider_docconv.services.service import ResultFile

T = TypeVar("T")
_CHUNK = 1 << 20
# Connections that are kept open; threads beyond that open new ones for each request.
_CONNECTIONS = 64


class Client:
    """
    Runs flows over one session and with one token; threads may share it.

    :param settings: the connection
    :param on_token: is told every new access token, for example to mask it in logs
    """

    def __init__(self, settings: Settings, on_token: Callable[[str], object] | None = None) -> None:
        self.settings = settings
        self.service = settings.service()
        self._on_token = on_token
        self._token: Token | None = None
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        #: How many requests were sent, by kind; the vendors bill them.
        self.calls: Counter[str] = Counter()
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        # A .netrc would replace the token with somebody's password.
        self._session.auth = _keep_authorization

    def run(self, flow: Flow[T]) -> T:
        """
        Run a flow to its end and return what it returns.

        :raises DocConvError: if the flow or the transport fails
        """
        return self._drive(converse(flow, self.settings))

    @contextmanager
    def open_result(self, file: ResultFile) -> Iterator[tuple[ResultStream, Iterator[bytes]]]:
        """
        Open a result for streaming: what is known of it, and its decoded bytes.

        :raises DocConvError: if the service refuses, or the result breaks off while it is read
        """
        opened = self._drive(open_result(file, self.settings))
        stream = ResultStream(file, opened.headers, self.settings.label)
        with opened.response:
            yield stream, _decoded(opened.response, stream)

    def log_in(self) -> None:
        """
        Log in with the connection's credentials, whatever token there is.

        :raises DocConvError: if that fails
        """
        with self._lock:
            self._token = self._new_token()

    def _drive(self, talk: Talk[T]) -> T:
        outcome: Any = None
        try:
            while True:
                outcome = self._do(talk.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result
        except DocConvError as error:
            scrub(error, self.settings.client_secret, self._token.value if self._token else None)
            raise

    def _do(self, step: Send | Sleep | GetToken) -> Any:
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            return None
        if isinstance(step, GetToken):
            return self._current_token(step.refused)
        try:
            return self._send(step)
        except OSError as error:
            return Failure(_fault(error), explain(error))

    def _send(self, step: Send) -> Reply | Stream:
        request = step.request
        with self._counting:
            self.calls[step.kind] += 1
        response = self._session.request(
            request.method,
            step.url,
            params=dict(request.query),
            headers=dict(step.headers),
            data=None if request.body is None else _Upload(request.body),
            timeout=(self.settings.connect_timeout, self.settings.read_timeout),
            # Given with each request, because an environment variable would override the session's.
            verify=self.settings.verify,
            allow_redirects=False,
            stream=True,
        )
        headers = {key.lower(): value for key, value in response.headers.items()}
        if isinstance(step, Open) and 200 <= response.status_code < 300:
            return Stream(response.status_code, headers, response)
        with response:
            return Reply(response.status_code, headers, _read(response, self.settings.label))

    def _current_token(self, refused: Token | None) -> Token:
        with self._lock:
            if self._token is None or self._token is refused or time.monotonic() >= self._token.renew_at:
                self._token = self._new_token()
            return self._token

    def _new_token(self) -> Token:
        logins = Logins(self.settings)
        with logins.turn():
            logins.require_allowed()
            try:
                token = self._drive(log_in(self.settings, time.monotonic()))
            except AuthenticationFailed:
                logins.record_refused()
                raise
        if self._on_token:
            self._on_token(token.value)
        return token


class _Upload:
    """A body as requests wants it: iterable, and with its length where that is known."""

    def __init__(self, body: Body) -> None:
        self._body = body
        if body.length is not None:
            self.len = body.length

    def __iter__(self) -> Iterator[bytes]:
        # An empty piece would end a chunked body.
        return filter(None, self._body.chunks())


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _fault(error: OSError) -> Fault:
    # requests' own errors are OSErrors; the only other one is that the file of the authorities can't be read.
    if isinstance(error, requests.exceptions.SSLError) or not isinstance(error, requests.RequestException):
        return Fault.TLS
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    never_sent = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.InvalidURL)
    return Fault.NOT_SENT if isinstance(reason, NewConnectionError) or isinstance(error, never_sent) else Fault.LOST


def _read(response: requests.Response, service: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_REPLY:
            raise UnexpectedReply(f"{service} answered with more than {MAX_REPLY >> 20} MiB where a few bytes were due")
    return bytes(body)


def _decoded(response: requests.Response, stream: ResultStream) -> Iterator[bytes]:
    try:
        for chunk in response.iter_content(_CHUNK):
            if data := stream.feed(chunk):
                yield data
    except requests.RequestException as error:
        raise stream.truncated(explain(error)) from error
    stream.close()


@lru_cache(maxsize=64)
def shared_client(settings: Settings, on_token: Callable[[str], object] | None = None) -> Client:
    """Return this process's one client for a connection."""
    return Client(settings, on_token)


# A socket must not be used by two processes.
os.register_at_fork(after_in_child=shared_client.cache_clear)
