"""
How a flow becomes HTTP: the token, its renewal after a 401, and the retries, written once for both clients.

A talk is a generator that yields what has to be done (:class:`Send`, :class:`Open`, :class:`Sleep`,
:class:`GetToken`) and is sent the outcome. The blocking and the asynchronous client only do these four things.
The idea is httpx's ``Auth.auth_flow``.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from airflow_provider_docconv import __version__
from airflow_provider_docconv.client.failures import hide
from airflow_provider_docconv.client.retries import BROKEN, LONGEST_DELAY, NOT_DONE, Attempts, Failure, retry_after
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.auth import Token, read_token, token_request
from airflow_provider_docconv.services.messages import Flow, Reply, Request
from airflow_provider_docconv.services.replies import refusal
from airflow_provider_docconv.services.service import ResultFile

T = TypeVar("T")
USER_AGENT = f"airflow-provider-docconv/{__version__}"
#: The longest reply that is read into memory, in bytes; results are streamed.
MAX_REPLY = 8 << 20
_LOGINS = 3


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request to this URL; the outcome is a Reply or a Failure."""

    request: Request
    url: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def kind(self) -> str:
        """What the call is for: ``start``, ``status``, ``result``, ``upload``, ``cancel`` or ``login``."""
        if not self.request.repeatable:
            return "start"
        return {"GET": "status", "PUT": "upload", "DELETE": "cancel"}.get(self.request.method, "login")


@dataclass(frozen=True, slots=True)
class Open(Send):
    """Send it, but leave the body of a successful reply to be streamed; the outcome may be a Stream."""

    @property
    def kind(self) -> str:
        """Always ``result``."""
        return "result"


@dataclass(frozen=True, slots=True)
class Stream:
    """A successful reply whose body was not read yet."""

    status: int
    headers: Mapping[str, str]
    response: Any


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GetToken:
    """Get the current token, and a new one if this one was refused; the outcome is a Token."""

    refused: Token | None


Talk: TypeAlias = Generator[Send | Sleep | GetToken, Any, T]


def converse(flow: Flow[T], settings: Settings) -> Talk[T]:
    """Run a flow and return what it returns."""
    try:
        request = next(flow)
        while True:
            reply = yield from _authorized(Send, request, settings)
            request = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def open_result(file: ResultFile, settings: Settings) -> Talk[Stream]:
    """
    Ask for a result and return it opened.

    :raises DocConvError: if the service refuses
    """
    answer: Stream | Reply = yield from _authorized(Open, file.request, settings)
    if isinstance(answer, Stream):
        return answer
    raise refusal(answer, settings.label, file.operation_id)


def log_in(settings: Settings, now: float) -> Talk[Token]:
    """
    Ask for a token, and never again after a refusal or a lock.

    :raises AuthenticationFailed: if the credentials are refused
    :raises DocConvError: if the endpoint does not answer
    """
    request = token_request(settings.client_id, settings.client_secret)
    for _ in range(_LOGINS):
        reply = yield from _attempt(Send, request, settings.token_url, {}, settings, BROKEN - {429})
        pause = retry_after(reply.headers.get("retry-after")) if reply.status == 429 else None
        # The lock after refused logins asks for ten minutes; less than one is mere overload.
        if not pause or pause > LONGEST_DELAY:
            break
        yield Sleep(pause)
    return read_token(reply if reply.ok else hide(reply, settings.client_secret), settings.label, now)


def _authorized(how: type[Send], request: Request, settings: Settings) -> Talk[Any]:
    url, again = settings.base_url + request.path, BROKEN if request.repeatable else NOT_DONE
    refused: Token | None = None
    while True:
        token = yield GetToken(refused)
        headers = {"Authorization": f"Bearer {token.value}"}
        answer = yield from _attempt(how, request, url, headers, settings, again)
        if answer.status != 401 or refused:
            return hide(answer, token.value) if isinstance(answer, Reply) else answer
        refused = token


def _attempt(
    how: type[Send],
    request: Request,
    url: str,
    authorization: Mapping[str, str],
    settings: Settings,
    again: Collection[int],
) -> Talk[Any]:
    attempts = Attempts(request, settings.label, url.removesuffix(request.path), again)
    headers = {"User-Agent": USER_AGENT, **request.headers, **authorization}
    if request.body is not None:
        headers["Content-Type"] = request.body.content_type
    while True:
        answer = yield how(request, url, headers)
        if isinstance(answer, Failure):
            delay: float | None = attempts.after_failure(answer)
        else:
            delay = attempts.after_reply(answer.status, answer.headers)
        if delay is None:
            return answer
        yield Sleep(delay)
