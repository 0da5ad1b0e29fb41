"""Requests and replies as plain values, what a status means, and how a connection logs in."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, quote_plus

from airflow_provider_docconv.services.bodies import Body, form_body
from airflow_provider_docconv.services.errors import (
    AccessDenied,
    AuthenticationFailed,
    DocConvError,
    OperationNotFound,
    RefusedByService,
    ServiceUnavailable,
    UnexpectedReply,
    one_line,
)

T = TypeVar("T")

#: A dialogue with a service: yields requests, is sent their replies, and returns the outcome.
Flow: TypeAlias = "Generator[Request, Reply, T]"

TOKEN_PATH = "/connect/token"  # noqa: S105 - a path, not a secret
# A token is renewed this many seconds before it expires, or earlier if it is short-lived.
_MAX_LEAD = 300
_DEFAULT_LIFETIME = 3600.0
_MAX_LIFETIME = 10**9
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
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = None
    repeatable: bool = True


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
        """Whether it is an HTML page, which comes not from a service, but from a proxy or load balancer before it."""
        return self.body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    @property
    def is_not_found(self) -> bool:
        """Whether the service itself, not a proxy, says that nothing is there."""
        return self.status == 404 and not self.is_page

    def text(self) -> str:
        """Return the body as text, with a mark for each byte that is not UTF-8."""
        return self.body.decode("utf-8", errors="replace")

    def json_object(self, service: str) -> dict[str, Any]:
        """
        Return the body as a JSON object, with the first letter of its keys in lower case.

        The vendors' servers write keys in lower camel case, their documentation in Pascal case; the SDKs read both.

        :raises UnexpectedReply: if it is not a JSON object
        """
        value = _parse(self.body)
        if isinstance(value, dict):
            return _lower_first(value)
        raise self._not_json(service)

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
    Percent-encode a path from outside for a URL, keeping its slashes.

    :raises UnexpectedReply: as :func:`path_segment` does
    """
    return "/".join(map(path_segment, text.split("/")))


def query(**values: object) -> dict[str, str]:
    """Return query parameters, without those that are None or empty."""
    return {key: str(value) for key, value in values.items() if value is not None and value != ""}


def require_success(reply: Reply, service: str, operation_id: str | None = None) -> Reply:
    """
    Return the reply if its status is a success.

    :param reply: the reply
    :param service: the service's name, for the message
    :param operation_id: the operation that was asked about, if any
    :raises DocConvError: of the type that fits the status
    """
    if reply.ok:
        return reply
    raise refusal(reply, service, operation_id)


def refusal(reply: Reply, service: str, operation_id: str | None) -> DocConvError:
    """Return the error for a reply whose status is not a success."""
    status, message = reply.status, reply.message()
    if status == 401:
        return AuthenticationFailed(f"{service} refused a fresh access token", service_message=message)
    if status in (402, 403):
        return AccessDenied(f"{service} denied the request (HTTP {status})", service_message=message)
    if status == 404 and reply.is_page:
        return UnexpectedReply(f"{service} replied with {reply.kind()} (HTTP 404)", service_message=message)
    if status == 404 and operation_id:
        return OperationNotFound(
            f"{service} does not know the operation", service_message=message, operation_id=operation_id
        )
    if 300 <= status < 400:
        return ServiceUnavailable(
            f"{service} redirected the request (HTTP {status})",
            remedy="check the connection's host: it must be the address of the service itself",
        )
    if status in (408, 429) or status >= 500:
        return ServiceUnavailable(f"{service} is unavailable (HTTP {status})", service_message=message)
    if operation_id:
        return UnexpectedReply(
            f"{service} refused the request (HTTP {status})",
            service_message=message,
            operation_id=operation_id,
            remedy="check that conn_id is the connection that started it, and the connection's host",
        )
    return RefusedByService(f"{service} refused the request (HTTP {status})", service_message=message)


@dataclass(frozen=True, slots=True)
class Token:
    """
    An access token.

    :param value: the token, for the Authorization header
    :param renew_at: when to get a new one, in seconds on the caller's clock
    """

    value: str = field(repr=False)
    renew_at: float


def token_request(client_id: str, client_secret: str) -> Request:
    """Build the request for a token, to the service's own token endpoint."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return Request("POST", TOKEN_PATH, headers={"Accept": "application/json"}, body=form_body(form))


def read_token(reply: Reply, service: str, now: float) -> Token:
    """
    Read the token endpoint's reply.

    :param reply: the reply
    :param service: the service's name, for messages
    :param now: the time on the caller's clock, in seconds
    :raises AuthenticationFailed: if the credentials are refused, or locked after too many attempts
    :raises ServiceUnavailable: if the endpoint is unavailable
    :raises UnexpectedReply: if the reply has no token
    """
    if reply.status in (400, 401, 403):
        raise AuthenticationFailed(
            f"{service} refused the client id and secret (HTTP {reply.status})", service_message=reply.message()
        )
    if reply.status == 429:
        wait = reply.headers.get("retry-after", "")
        wait = wait if wait.isascii() and wait.isdigit() else "600"
        raise AuthenticationFailed(
            f"{service} has locked the login after too many failed attempts",
            remedy="correct login (client id) and password (client secret) of the connection, "
            f"or wait {wait} seconds if they are right",
        )
    value = require_success(reply, f"{service}'s login").json_object(f"{service}'s login")
    token, lifetime = value.get("access_token"), value.get("expires_in")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise UnexpectedReply(f"{service}'s login returned no access token")
    seconds = _DEFAULT_LIFETIME
    if isinstance(lifetime, int | float) and 0 < lifetime < _MAX_LIFETIME:
        seconds = float(lifetime)
    return Token(token, now + seconds - min(_MAX_LEAD, seconds / 5))


def hide(reply: Reply, secret: str) -> Reply:
    """Remove a secret from a reply that repeats it, before its message is shortened."""
    body = reply.body
    for form in _forms(secret):
        if form in body:
            body = body.replace(form, b"***")
    return reply if body is reply.body else replace(reply, body=body)


# Every poll looks for the same token.
@lru_cache(maxsize=16)
def _forms(secret: str) -> tuple[bytes, bytes]:
    return secret.encode(), quote_plus(secret).encode()
