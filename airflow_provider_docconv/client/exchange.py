"""
How a flow becomes HTTP: the token, its renewal after a 401, retries and pauses, written once for both clients.

An exchange is a generator. It yields the effects below and is sent their outcomes. The clients only perform them: the
blocking one in its thread, the asynchronous one in its event loop. The idea is that of httpx's ``Auth.auth_flow``.
"""

from __future__ import annotations

import copy
import random
import re
import zlib
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import Enum
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import pendulum

from airflow_provider_docconv import __version__
from airflow_provider_docconv.client.rate_limit import RateLimit
from airflow_provider_docconv.client.session import LoginOutcome, Session
from airflow_provider_docconv.services.errors import (
    DocConvError,
    OperationNotFound,
    ServiceUnavailable,
    StartReplyLost,
    TLSFailed,
    UnexpectedError,
    UnexpectedReply,
    explain,
)
from airflow_provider_docconv.services.http import Call, Flow, NeedsToken, Reply, Request, Token, hide
from airflow_provider_docconv.services.operations import ResultFile
from airflow_provider_docconv.testing import delay

T = TypeVar("T")
USER_AGENT = f"airflow-provider-docconv/{__version__}"
#: The longest reply that is read into memory, in bytes; results are streamed.
MAX_REPLY = 8 << 20
#: If a service asks for a longer delay, in seconds, the request fails instead.
LONGEST_DELAY = 60.0
_ATTEMPTS = 4
_LOGINS = 3
_FIRST_DELAY = 0.5
# With these the service says that it has done nothing.
_NOT_DONE = frozenset({429, 503})
# What OpenSSL says of a reply in plain text.
_NO_TLS = re.compile("WRONG_VERSION_NUMBER|wrong version number|RECORD_LAYER_FAILURE|record layer failure|HTTP_REQUEST")
_BROKEN = _NOT_DONE | {500, 502, 504}


# --- What an exchange yields, and what it is sent ---


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request to this URL; the outcome is a Reply or a Failure."""

    request: Request
    url: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def kind(self) -> str:
        """What the call is for: ``start``, ``status``, ``result``, ``upload``, ``cancel``, ``formats`` or ``login``."""
        if self.request.kind:
            return self.request.kind
        if not self.request.repeatable:
            return "start"
        return {"GET": "status", "PUT": "upload", "DELETE": "cancel"}.get(self.request.method, "login")


@dataclass(frozen=True, slots=True)
class SendStreaming(Send):
    """Send it, but leave the body of a successful reply to be streamed; the outcome may be a StreamedReply."""

    @property
    def kind(self) -> str:
        """Always ``result``."""
        return "result"


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Acquire:
    """Ask to send one more call; the outcome is 0, or the seconds after which to ask again."""

    rate_limit: RateLimit


@dataclass(frozen=True, slots=True)
class LogIn:
    """Wait for the session's login, which may be in progress already; the outcome is a Token or an Exception."""

    refused: Token | None = field(repr=False)


Effect: TypeAlias = Send | Sleep | Acquire | LogIn
Exchange: TypeAlias = Generator[Effect, Any, T]


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """
    A successful reply whose body has not been read yet.

    :param status: the HTTP status
    :param headers: the headers, with lower-case names
    :param response: the library's response, a context
    :param call: the call, a context that watches the time
    """

    status: int
    headers: Mapping[str, str]
    response: Any
    call: Any


class Fault(Enum):
    """How far a request without a reply got."""

    NOT_SENT = "not sent"
    TLS = "certificate not verified"
    LOST = "reply lost"
    TOO_LONG = "reply too long"


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A request without a reply.

    :param fault: how far it got
    :param words: how the transport describes it
    """

    fault: Fault
    words: str


# --- The exchanges ---


def run_flow(flow: Flow[T], session: Session) -> Exchange[T]:
    """
    Run a flow and return what it returns.

    :raises DocConvError: if it fails
    """
    started = False
    try:
        request = next(flow)
        while True:
            reply = yield from _authorized(Send, request, session)
            started = not request.repeatable
            request = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    except DocConvError:
        raise
    except Exception as error:  # An odd reply, or an option that can't be sent, must not look like a fault of Airflow.
        if started:
            label = session.settings.label
            raise StartReplyLost(f"the reply of {label} to the start could not be read ({explain(error)})") from error
        raise UnexpectedError.of(error) from error


def open_result(file: ResultFile, session: Session) -> Exchange[StreamedReply]:
    """
    Request a result and return it open for streaming.

    :raises DocConvError: if the service refuses
    """
    # Documents are already compressed, and without a content coding their length can be checked.
    request = replace(file.request, headers={**file.request.headers, "Accept-Encoding": "identity"})
    reply: StreamedReply | Reply = yield from _authorized(SendStreaming, request, session)
    if isinstance(reply, StreamedReply):
        return reply
    service = session.settings.service()
    error = service.vendor.error(reply, Call.RESULT, file.operation_id)
    if file.remote and isinstance(error, OperationNotFound):
        error.what = f"{service.label} has no file {file.remote.path!r} in its storage"
    raise error


def current_token(session: Session, refused: Token | None = None) -> Exchange[Token]:
    """
    Return the session's token. Log in first if there is none.

    :param refused: a token that the service has refused
    :raises DocConvError: if the login fails
    """
    if token := session.token(refused):
        return token
    outcome: LoginOutcome = yield LogIn(refused)
    if isinstance(outcome, Token):
        return outcome
    raise copy.copy(outcome)  # Each waiter adds its own document and operation to it.


def fetch_token(session: Session) -> Exchange[Token]:
    """
    Log in. A refusal or a lock is final; an overloaded login is asked again.

    :raises AuthenticationFailed: if the credentials are refused
    :raises DocConvError: if the endpoint does not answer
    """
    flow = session.auth.log_in(monotonic())
    try:
        request = next(flow)
        while True:
            reply = yield from _send_login(request, session)
            request = flow.send(reply if reply.ok else hide(reply, *session.auth.secrets))
    except StopIteration as end:
        token: Token = end.value
        return token


def _send_login(request: Request, session: Session) -> Exchange[Reply]:
    url = session.settings.token_url
    for _ in range(_LOGINS):
        reply: Reply = yield from _attempt(Send, request, url, session, _BROKEN - {429})
        pause = retry_after(reply.headers.get("retry-after")) if reply.status == 429 else None
        # The vendor's lock after refused logins asks for ten minutes; less than a minute means overload.
        if not pause or pause > LONGEST_DELAY:
            break
        yield Sleep(delay(pause))
    return reply


def _authorized(how: type[Send], request: Request, session: Session) -> Exchange[Any]:
    """Send a request as the service's authentication signs it; return the last reply."""
    url = session.settings.base_url + request.path
    resend_after = _BROKEN if request.repeatable else _NOT_DONE
    reply: Any = None
    outcome: Any = None
    secrets: list[str] = []
    signing = session.auth.flow(request)
    try:
        while True:
            signed = signing.send(outcome)
            if isinstance(signed, NeedsToken):
                outcome = yield from current_token(session, signed.refused)
                secrets.append(outcome.value)
            else:
                outcome = reply = yield from _attempt(how, signed, url, session, resend_after)
    except StopIteration:
        if isinstance(reply, StreamedReply):
            return reply
        # A key or password may be a common word: hidden in a success, it would change what the reply says.
        return hide(reply, *secrets, *(() if reply.ok else session.auth.secrets))


def _attempt(
    how: type[Send],
    request: Request,
    url: str,
    session: Session,
    resend_after: Collection[int],
) -> Exchange[Any]:
    """Send a request, and again after a failure that a retry may cure; return the last reply."""
    headers = {"User-Agent": USER_AGENT, **request.headers}
    if request.body is not None:
        headers["Content-Type"] = request.body.content_type
    send = how(request, url, headers)
    attempts = 0
    while True:
        yield from _wait_until_allowed(session)
        outcome: Reply | StreamedReply | Failure = yield send
        attempts += 1
        if isinstance(outcome, Failure):
            yield Sleep(delay(_delay_after_failure(outcome, send, session.settings.label, attempts)))
            continue
        if outcome.status not in resend_after:
            return outcome
        seconds, pause = _delay_after_reply(outcome.status, outcome.headers, attempts)
        if pause:
            session.pause(pause)
        if seconds is None:
            return outcome
        if not pause:
            yield Sleep(delay(seconds))


def _wait_until_allowed(session: Session) -> Exchange[None]:
    """Wait until there is no pause and the connection's rate limit allows one more call."""
    while True:
        # Checked again after each sleep: the service may have asked another caller for a pause meanwhile.
        while pause := session.pause_left:
            yield Sleep(pause)
        if session.rate_limit is None:
            return
        seconds = yield Acquire(session.rate_limit)
        if not seconds:
            return
        yield Sleep(seconds)


# --- Whether a request is sent again ---


def _delay_after_reply(status: int, headers: Mapping[str, str], attempts: int) -> tuple[float | None, float]:
    """
    Decide what follows a reply that reports a fault of the service.

    :return: the seconds until the request is sent again, or None to keep this reply; and the seconds for which all
        senders of the connection must pause, or 0
    """
    asked = retry_after(headers.get("retry-after"))
    seconds = _backoff(attempts) if asked is None else asked
    pauses = status == 429 or (status == 503 and asked is not None)
    gives_up = attempts >= _ATTEMPTS or seconds > LONGEST_DELAY
    return None if gives_up else seconds, min(seconds, LONGEST_DELAY) if pauses else 0.0


def _delay_after_failure(failure: Failure, send: Send, service: str, attempts: int) -> float:
    """
    Return the seconds until a request without a reply is sent again.

    A start is sent again only if it cannot have arrived, any other request also when its reply was lost.

    :raises TLSFailed: if the certificate can't be verified
    :raises StartReplyLost: if the request is a start that may have arrived
    :raises UnexpectedReply: if the reply is too long to be read
    :raises ServiceUnavailable: after the last attempt
    """
    host = send.url.removesuffix(send.request.path)
    if failure.fault is Fault.TLS and _NO_TLS.search(failure.words):
        raise TLSFailed(
            f"{service} at {host} does not speak TLS ({failure.words})",
            remedy="if it speaks http, write http:// before the host of the connection",
        )
    if failure.fault is Fault.TLS:
        raise TLSFailed(f"the certificate of {service} at {host} could not be verified ({failure.words})")
    if failure.fault in (Fault.LOST, Fault.TOO_LONG) and not send.request.repeatable:
        raise StartReplyLost(f"{service} did not reply to the start request ({failure.words})")
    if failure.fault is Fault.TOO_LONG:
        raise UnexpectedReply(f"{service} sent {failure.words}")
    if attempts >= _ATTEMPTS:
        what = "can't be reached" if failure.fault is Fault.NOT_SENT else "does not answer"
        raise ServiceUnavailable(f"{service} at {host} {what} ({failure.words})")
    return _backoff(attempts)


# --- What both clients make of bytes ---

#: What they do with a reply that is longer than they read.
TOO_LONG = Failure(Fault.TOO_LONG, f"a reply of more than {MAX_REPLY >> 20} MiB")


def read_reply(status: int, headers: Mapping[str, str], body: bytes) -> Reply | Failure:
    """
    Build a reply from the bytes that came, with its content coding removed.

    :param status: the HTTP status
    :param headers: the headers, with lower-case names
    :param body: the body as it was sent
    """
    if headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate"):
        try:
            body = _inflated(body)
        except zlib.error as error:
            return Failure(Fault.LOST, str(error))
    return TOO_LONG if len(body) > MAX_REPLY else Reply(status, headers, body)


def _inflated(body: bytes) -> bytes:
    """Remove the coding of a body, up to a little more than the longest reply."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_REPLY + 1)
    except zlib.error:
        # Some servers leave the header of zlib out.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, MAX_REPLY + 1)


def too_late(service: str) -> ServiceUnavailable:
    """Build the error for a call that was ended because the caller's time is up."""
    return ServiceUnavailable(f"{service} did not reply in time")


def _backoff(attempts: int) -> float:
    return _FIRST_DELAY * 2.0 ** (attempts - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, which is a number of seconds or a date (RFC 9110 §10.2.3)."""
    if not value:
        return None
    if (seconds := value.strip()).isdecimal():
        return float(seconds)
    try:
        # A date without a zone is in UTC.
        return max(0.0, (pendulum.instance(parsedate_to_datetime(value)) - pendulum.now("UTC")).total_seconds())
    except (ValueError, OverflowError):
        return None
