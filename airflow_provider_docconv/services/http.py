"""Requests and replies as plain values, what a status means, and how to log in."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote, quote_plus

from airflow_provider_docconv.services.bodies import Body, form_body
from airflow_provider_docconv.services.catalog import CLIENT_CREDENTIALS, Authentication
from airflow_provider_docconv.services.errors import (
    AccessDenied,
    AuthenticationFailed,
    DocConvError,
    LoginUnavailable,
    OperationNotFound,
    RefusedByService,
    ServiceNotFound,
    ServiceUnavailable,
    StartReplyLost,
    UnexpectedReply,
    one_line,
)

T = TypeVar("T")

#: A dialogue with a service: yields requests, is sent their replies, and returns the outcome.
Flow: TypeAlias = "Generator[Request, Reply, T]"

# A token is renewed this many seconds before it expires, or earlier if it is short-lived.
_MAX_LEAD = 300
_DEFAULT_LIFETIME = 3600.0
_MAX_LIFETIME = 10**9
# In seconds. After refused logins the vendors answer 429 for ten minutes.
_SHORTEST_LOCK = 60
_NO_OPERATION = re.compile(r"\boperation\b.{0,60}\b(?:not (?:be )?found|not exist|unknown)\b", re.IGNORECASE)
# Where an error body has its message, the most telling first.
_MESSAGE_KEYS = (
    "message",
    "description",
    "detail",
    "title",
    "error_description",
    "messages",
    "error",
    "errors",
    "code",
    "msg",
)


@dataclass(frozen=True, slots=True)
class Request:
    """
    An HTTP request, without host and credentials.

    :param method: the HTTP verb
    :param path: the path below the connection's base URL, percent-encoded
    :param query: the query parameters, not encoded
    :param headers: headers besides the body's own; the values may be secrets
    :param body: the body, which can be sent more than once
    :param repeatable: whether sending the request twice has the same effect as sending it once
    :param kind: what it is counted as, if not by its method
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = None
    repeatable: bool = True
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An HTTP reply, small enough for memory.

    :param status: the HTTP status
    :param headers: the headers, with lower-case names
    :param body: the body, already decompressed
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is an HTML page, which comes from a proxy or load balancer in front of a service."""
        return self.body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    def text(self) -> str:
        """Return the body as text, with a mark for each byte that is not UTF-8."""
        return self.body.decode("utf-8", errors="replace")

    def json_object(self, service: str) -> dict[str, Any]:
        """
        Return the body as a JSON object, with the first letter of its keys in lower case.

        The vendors' servers write keys in lower camel case, their documentation in Pascal case; the SDKs read both.

        :raises UnexpectedReply: if it is not a JSON object
        """
        value = self.parsed_object()
        if value is not None:
            return value
        raise self._not_json(service)

    def parsed_object(self) -> dict[str, Any] | None:
        """Return the body as :meth:`json_object` does, or None if it is not a JSON object."""
        value = _parse(self.body)
        return _lower_first(value) if isinstance(value, dict) else None

    def json_objects(self, service: str) -> list[dict[str, Any]]:
        """
        Return the JSON objects in a body that is a list, each as :meth:`json_object` does.

        :raises UnexpectedReply: if it is not a JSON list
        """
        value = _parse(self.body)
        if isinstance(value, list):
            return [_lower_first(item) for item in value if isinstance(item, dict)]
        raise self._not_json(service)

    def _not_json(self, service: str) -> UnexpectedReply:
        return UnexpectedReply(f"{service} replied with {self.kind()} instead of JSON", service_message=self.message())

    def kind(self) -> str:
        """Describe the body in a few words, for a message."""
        if not self.body[:512].strip():
            return "an empty body"
        if self.is_page:
            return "an HTML page"
        return f"HTTP {self.status} and {len(self.body)} bytes of {self.headers.get('content-type', 'unknown type')}"

    def message(self) -> str:
        """Return the service's explanation: the message of an error, the title of a page, or a text."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return one_line(_page_title(self.text()))
        return one_line(find_message(value) or f"HTTP {self.status}")


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _lower_first(value: dict[str, Any]) -> dict[str, Any]:
    return {key[:1].lower() + key[1:]: item for key, item in value.items()}


def _page_title(text: str) -> str:
    title = re.search(r"<title[^>]{0,200}>([^<]{1,500})", text[:65536], re.IGNORECASE)
    return (title[1] if title else text[:1000]).strip()


def find_message(value: object, depth: int = 5) -> str | None:
    """
    Find the message in an error body of any known shape, nested or flat, in any letter case.

    The shapes: ``{"error": {"message", "description"}}`` and ``{"message"}`` (Aspose and GroupDocs SDKs),
    ``{"error": "invalid_client"}`` (their token endpoint), ``{"title", "detail"}`` (RFC 9457, Aspose.OCR's OpenAPI
    file), ``{"error": {"messages": []}}`` (Aspose.OCR).
    """
    if depth == 0:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        found = [find_message(item, depth - 1) for item in value[:5]]
        return "; ".join(text for text in found if text) or None
    if isinstance(value, dict):
        lower = {str(key).lower(): item for key, item in value.items()}
        for key in _MESSAGE_KEYS:
            if text := find_message(lower.get(key), depth - 1):
                return text
    return None


def path_segment(text: str) -> str:
    """
    Percent-encode a text from outside as one segment of a URL's path.

    :raises UnexpectedReply: if it is ``.`` or ``..``, which HTTP clients resolve, or can't be encoded
    """
    try:
        if text not in (".", ".."):
            return quote(text, safe="")
    except UnicodeEncodeError:
        pass
    raise UnexpectedReply(f"unsafe name {text[:100]!r} in a path")


def path_segments(text: str) -> str:
    """
    Percent-encode an external path for a URL, keeping its slashes.

    :raises UnexpectedReply: as :func:`path_segment` does
    """
    return "/".join(map(path_segment, text.split("/")))


def query(**values: object) -> dict[str, str]:
    """Return query parameters, without those that are None or empty."""
    return {key: str(value) for key, value in values.items() if value is not None and value != ""}


# --- What a reply means ---


class Call(StrEnum):
    """What a request is for: the same status has a different meaning for each."""

    LOGIN = "login"
    START = "start"
    #: The upload of a document, before a start that needs it in the vendor's storage.
    UPLOAD = "upload"
    STATUS = "status"
    RESULT = "result"
    #: Whether the service is there and lets the caller in.
    ACCESS = "access"
    #: Anything else: files in the vendor's storage, formats, a cancellation.
    OTHER = "other"


class Form(StrEnum):
    """Who sent an error: the service, in its documented JSON, or something in between."""

    OWN = "own"
    #: A proxy, a gateway, a firewall, a load balancer, a login page.
    FOREIGN = "foreign"
    ANY = "any"


class Meaning(NamedTuple):
    """
    A row of the table: the meaning of a reply that is not a success.

    :param calls: what was asked
    :param form: who sent the reply
    :param statuses: the HTTP statuses
    :param error: the type of the error
    :param what: what the service did, for the message
    :param remedy: what to do, if not the default of the type
    """

    calls: tuple[Call, ...]
    form: Form
    statuses: Collection[int]
    error: type[DocConvError]
    what: str
    remedy: str | None = None


_LOGIN = (Call.LOGIN,)
_SENDS = (Call.START, Call.UPLOAD)
_NEED_ACCESS = (*_SENDS, Call.ACCESS)
_ASKS = (Call.STATUS, Call.RESULT)
_ALL_CALLS = tuple(Call)
_ANY_STATUS = range(1000)
_REDIRECTS = range(300, 400)
_SERVER_ERRORS = range(500, 1000)
_REDIRECT_REMEDY = "check the host of the connection: it must be the address of the service itself"

#: The meaning of replies that are not a success; the first row that fits counts. Only the service's own form says
# anything about the document, the operation or the account; and an answer to a question never says anything about the
# document.
MEANINGS: tuple[Meaning, ...] = (
    Meaning(_LOGIN, Form.OWN, (400, 401), AuthenticationFailed, "refused the client id and secret"),
    Meaning(_LOGIN, Form.ANY, _REDIRECTS, LoginUnavailable, "redirected the request"),
    Meaning(_LOGIN, Form.ANY, _ANY_STATUS, LoginUnavailable, "did not return a token"),
    Meaning(_ALL_CALLS, Form.ANY, _REDIRECTS, ServiceUnavailable, "redirected the request", _REDIRECT_REMEDY),
    Meaning(_SENDS, Form.OWN, (400, 404, 413, 415, 422), RefusedByService, "refused the request"),
    Meaning(_NEED_ACCESS, Form.OWN, (401,), AuthenticationFailed, "refused the credentials"),
    Meaning(_NEED_ACCESS, Form.OWN, (402, 403), AccessDenied, "denied the request"),
    Meaning(_NEED_ACCESS, Form.FOREIGN, (404, 405, 410, 421, 501), ServiceNotFound, "has no such API at this address"),
    # With these nothing can have begun. Other statuses from 500, such as a proxy's 520 to 524, may say that the service
    # took the request and did not answer in time.
    Meaning(_SENDS, Form.ANY, (408, 429, 501, 503), ServiceUnavailable, "is unavailable"),
    Meaning((Call.START,), Form.ANY, _SERVER_ERRORS, StartReplyLost, "failed while it started the operation"),
    Meaning(_ASKS, Form.OWN, (404,), OperationNotFound, "does not know the operation"),
    Meaning(_ALL_CALLS, Form.ANY, (408, 429, *_SERVER_ERRORS), ServiceUnavailable, "is unavailable"),
    Meaning(_ALL_CALLS, Form.ANY, _ANY_STATUS, UnexpectedReply, "did not answer the request"),
)


def find_meaning(call: Call, status: int, *, own: bool) -> Meaning:
    """
    Find the row of the table for a reply that is not a success.

    :param call: what was asked
    :param status: the HTTP status
    :param own: whether the reply is in the service's own form
    """
    forms = (Form.ANY, Form.OWN if own else Form.FOREIGN)
    return next(row for row in MEANINGS if call in row.calls and row.form in forms and status in row.statuses)


@dataclass(frozen=True, slots=True)
class Vendor:
    """
    The vendor whose replies are read.

    :param label: the service's name, for messages
    :param is_own_error: whether a JSON object, its keys as :meth:`Reply.json_object` returns them, and the status of
        its reply are the vendor's documented form of an error
    :param credentials: the connection's fields that its credentials are in, in words; empty if it takes none
    """

    label: str
    is_own_error: Callable[[Mapping[str, Any], int], bool]
    credentials: str = ""

    def speaks_in(self, reply: Reply) -> bool:
        """Tell whether an error comes from the service itself, and not from something in between."""
        value = reply.parsed_object()
        if value is not None and self.is_own_error(value, reply.status):
            return True
        # How servers refuse a token, often with an empty body (RFC 6750 §3).
        return reply.status == 401 and reply.headers.get("www-authenticate", "").lower().startswith("bearer")

    def says_not_found(self, reply: Reply) -> bool:
        """Tell whether the service itself says that it found nothing."""
        return reply.status == 404 and self.speaks_in(reply)

    def require_access(self, reply: Reply) -> None:
        """
        Check that the service itself answered, be it that it found nothing, and accepted the credentials.

        :param reply: the reply to a question that costs nothing
        :raises DocConvError: of the type that fits the status
        """
        if reply.status != 200 and not self.says_not_found(reply):
            raise self.error(reply, Call.ACCESS)

    def require_success(self, reply: Reply, call: Call, operation_id: str | None = None) -> Reply:
        """
        Return the reply if its status is a success.

        :param reply: the reply
        :param call: what was asked
        :param operation_id: the operation that was asked about, if any
        :raises DocConvError: of the type that fits the status
        """
        # A question has one good status: 204 and 206 are not the whole of an answer.
        if reply.status == 200 or (reply.ok and call not in _ASKS):
            return reply
        raise self.error(reply, call, operation_id)

    def error(self, reply: Reply, call: Call, operation_id: str | None = None) -> DocConvError:
        """
        Return the error that a reply stands for.

        :param reply: the reply
        :param call: what was asked
        :param operation_id: the operation that was asked about, if any
        """
        meaning = find_meaning(call, reply.status, own=self.speaks_in(reply))
        page = ", an HTML page" if reply.is_page else ""
        remedy = meaning.remedy
        if meaning.error is AuthenticationFailed and self.credentials:
            remedy = f"check {self.credentials} of the connection"
        return meaning.error(
            f"{self.label} {meaning.what} (HTTP {reply.status}{page})",
            service_message=reply.message(),
            operation_id=operation_id,
            remedy=remedy,
        )


def has_error_object(value: Mapping[str, Any]) -> bool:
    """
    Tell whether a JSON object has the error object of the Aspose and GroupDocs APIs.

    ``{"requestId", "error": {"code", "message", "description", "dateTime", "innerError"}}`` (SDKs, their tests). The
    gateways of Google write the same with a number as the code.
    """
    error = value.get("error")
    if not isinstance(error, dict):
        return False
    lower = {str(key).lower(): item for key, item in error.items()}
    says = any(isinstance(lower.get(key), str) and lower[key] for key in ("message", "description"))
    return says and isinstance(lower.get("code"), str | None)


def says_no_operation(value: Mapping[str, Any]) -> bool:
    """
    Tell whether a JSON object says in words that the service does not know the operation.

    Not any "not found" says so: the service may miss one of its own parts for a moment.
    """
    return _NO_OPERATION.search(find_message(value) or "") is not None


# --- How a service knows its caller ---


@dataclass(frozen=True, slots=True)
class Token:
    """
    An access token.

    :param value: the token, for the Authorization header
    :param renew_at: when to get a new one, in seconds on the caller's clock
    """

    value: str = field(repr=False)
    renew_at: float


@dataclass(frozen=True, slots=True)
class NeedsToken:
    """
    What an authentication flow yields to be sent the token that all callers of the connection share.

    :param refused: a token that the service has refused
    """

    refused: Token | None = field(default=None, repr=False)


#: Yields signed requests, and is sent their replies, of which the last one counts; or yields what it needs to sign.
AuthFlow: TypeAlias = "Generator[Request | NeedsToken, Any, None]"


@dataclass(frozen=True, slots=True)
class Auth:
    """
    Signs the requests to a service, in the manner of httpx's ``Auth``. This one has nothing to add.

    :param info: how the service knows its caller
    :param label: the service's name, for messages
    :param login: the connection's login
    :param password: the connection's password
    """

    info: Authentication
    label: str
    login: str = ""
    password: str = field(default="", repr=False)

    def flow(self, request: Request) -> AuthFlow:
        """
        Sign a request, and again if its reply asks for that.

        :param request: the request
        """
        yield self.sign(request)

    def sign(self, request: Request) -> Request:
        """Return a request with the credentials of the connection."""
        return request

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may have; a service may repeat what it was sent."""
        return (self.password,) if self.password else ()

    def log_in(self, now: float) -> Flow[Token]:
        """
        Get a token, where the service gives them.

        :param now: the time on the caller's clock, in seconds
        :raises AuthenticationFailed: if the credentials are refused
        :raises LoginUnavailable: if the reply is not that of a login
        """
        raise NotImplementedError(f"{self.label} gives no tokens")


class ApiKeyAuth(Auth):
    """Sends the password as it is, in a header; nothing if it is empty."""

    def sign(self, request: Request) -> Request:
        """Return a request with the key."""
        return _with_header(request, self.info.header, self.password) if self.password else request


class BearerAuth(Auth):
    """Sends the password as a token that does not expire."""

    def sign(self, request: Request) -> Request:
        """Return a request with the token."""
        return _with_header(request, self.info.header, f"Bearer {self.password}")


class BasicAuth(Auth):
    """Sends login and password with each request."""

    def sign(self, request: Request) -> Request:
        """Return a request with login and password."""
        return _with_header(request, self.info.header, f"Basic {self._pair}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, and the form that it is sent in."""
        return (self.password, self._pair)

    @property
    def _pair(self) -> str:
        return b64encode(f"{self.login}:{self.password}".encode()).decode()


class ClientCredentialsAuth(Auth):
    """Sends a token that the service gives for a client id and secret, and a new one if it is refused."""

    def flow(self, request: Request) -> AuthFlow:
        """Sign a request with the token, and once more with a new one."""
        token = yield NeedsToken()
        reply = yield _with_header(request, self.info.header, f"Bearer {token.value}")
        if reply.status == 401:
            token = yield NeedsToken(refused=token)
            yield _with_header(request, self.info.header, f"Bearer {token.value}")

    def log_in(self, now: float) -> Flow[Token]:
        """Send client id and secret to the token endpoint."""
        reply = yield token_request(self.login, self.password, self.info.token_path)
        return read_token(reply, self.label, now, self.info.credentials)


def _with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers={**request.headers, name: value})


def create_auth(info: Authentication, label: str, login: str, password: str) -> Auth:
    """
    Return what signs the requests of a connection.

    :param info: how the service knows its caller
    :param label: the service's name, for messages
    :param login: the connection's login
    :param password: the connection's password
    """
    kind: type[Auth] = load(info.flow)
    return kind(info, label, login, password)


def load(name: str) -> Any:
    """
    Import what an entry of the catalogue names.

    :param name: the name, as ``module:Class``
    """
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def token_request(client_id: str, client_secret: str, path: str = CLIENT_CREDENTIALS.token_path) -> Request:
    """Build the request for a token, to the service's own token endpoint."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return Request("POST", path, headers={"Accept": "application/json"}, body=form_body(form))


# RFC 6749 §5.2. The vendors' SDKs and their tests know the second one.
_LOGIN_ERRORS = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
)


def _is_login_error(value: Mapping[str, Any], status: int) -> bool:
    return value.get("error") in _LOGIN_ERRORS


def read_token(reply: Reply, service: str, now: float, credentials: str = CLIENT_CREDENTIALS.credentials) -> Token:
    """
    Read the token endpoint's reply.

    :param reply: the reply
    :param service: the service's name, for messages
    :param now: the time on the caller's clock, in seconds
    :param credentials: the connection's fields that they are in, for messages
    :raises AuthenticationFailed: if the credentials are refused, or locked after too many attempts
    :raises LoginUnavailable: if the reply is not that of a login
    """
    wait = reply.headers.get("retry-after", "")
    # The documented lock lasts ten minutes; a gateway that is overloaded asks for less.
    if reply.status == 429 and wait.isascii() and wait.isdigit() and len(wait) < 9 and int(wait) > _SHORTEST_LOCK:
        raise AuthenticationFailed(
            f"{service} has locked the login after too many failed attempts",
            remedy=f"correct {credentials} of the connection, or wait {wait} seconds if they are right",
        )
    vendor = Vendor(f"{service}'s login", _is_login_error, credentials)
    value = vendor.require_success(reply, Call.LOGIN).parsed_object() or {}
    token, lifetime = value.get("access_token"), value.get("expires_in")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise LoginUnavailable(
            f"{vendor.label} replied with {reply.kind()} instead of an access token", service_message=reply.message()
        )
    seconds = _DEFAULT_LIFETIME
    if isinstance(lifetime, int | float) and 0 < lifetime < _MAX_LIFETIME:
        seconds = float(lifetime)
    return Token(token, now + seconds - min(_MAX_LEAD, seconds / 5))


def hide(reply: Reply, *secrets: str) -> Reply:
    """Remove secrets from a reply that repeats them, before its message is shortened."""
    body = reply.body
    for secret in secrets:
        for form in _forms(secret):
            if form in body:
                body = body.replace(form, b"***")
    return reply if body is reply.body else replace(reply, body=body)


# Every poll looks for the same token.
@lru_cache(maxsize=16)
def _forms(secret: str) -> tuple[bytes, bytes]:
    return secret.encode(), quote_plus(secret).encode()
