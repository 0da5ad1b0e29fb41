"""Sends requests and waits, in the thread that asks for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from airflow_provider_docconv.client.conversation import MAX_REPLY
from airflow_provider_docconv.client.retries import Failure, Fault
from airflow_provider_docconv.client.steps import Await, Open, Send, Sleep, Stream, Talk
from airflow_provider_docconv.services.bodies import Body
from airflow_provider_docconv.services.errors import DocConvError, UnexpectedReply, explain, scrub
from airflow_provider_docconv.services.http import Reply

if TYPE_CHECKING:
    from typing import Self

    from airflow_provider_docconv.client.account import Account

T = TypeVar("T")
# Connections that are kept open; threads beyond that open new ones for each request.
_CONNECTIONS = 64


class Transport:
    """
    Runs talks over one session; threads may share it. A context, which closes the session.

    :param account: what the connection's clients share
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._settings = account.settings
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        # A .netrc would replace the token with somebody's password.
        self._session.auth = _keep_authorization

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def drive(self, talk: Talk[T]) -> T:
        """
        Run a talk to its end and return what it returns.

        :raises DocConvError: if it fails
        """
        outcome: Any = None
        with closing(talk):
            try:
                while True:
                    outcome = self._do(talk.send(outcome))
            except StopIteration as end:
                result: T = end.value
                return result
            except DocConvError as error:
                scrub(error, *self._account.secrets)
                raise

    def _do(self, step: Send | Sleep | Await) -> Any:
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Await):
            return step.promise.result()
        try:
            return self._send(step)
        except OSError as error:
            return Failure(_fault(error), explain(error))

    def _send(self, step: Send) -> Reply | Stream:
        request = step.request
        self._account.count(step.kind)
        response = self._session.request(
            request.method,
            step.url,
            params=dict(request.query),
            headers=dict(step.headers),
            data=None if request.body is None else _Upload(request.body),
            timeout=(self._settings.connect_timeout, self._settings.read_timeout),
            # Given with each request, because an environment variable would override the session's.
            verify=self._settings.verify,
            allow_redirects=False,
            stream=True,
        )
        headers = {key.lower(): value for key, value in response.headers.items()}
        if isinstance(step, Open) and 200 <= response.status_code < 300:
            return Stream(response.status_code, headers, response)
        with response:
            return Reply(response.status_code, headers, _read(response, self._settings.label))


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
