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
    quote_words,
)

T = TypeVar("T")

#: A conversation with a service: yields requests, is sent their replies, and returns what it was about.
Flow: TypeAlias = "Generator[Request, Reply, T]"


@dataclass(frozen=True, slots=True)
class Request:
    """
    One HTTP request, without the host and the credentials.

    :param method: the HTTP verb
    :param path: below the connection's base URL, already percent-encoded
    :param query: query parameters, not yet encoded
    :param headers: headers beside the body's own; the values may be secrets
    :param body: the body, which can be produced again for a second sending
    :param repeatable: whether sending it twice does no more than sending it once
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
    One HTTP reply, small enough to be held in memory.

    :param status: the HTTP status
    :param headers: the headers, with lower-case names
    :param body: the body, already decompressed
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is an HTML page, which no service sends, but a proxy or a load balancer in front of it does."""
        return self.body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    @property
    def is_not_found(self) -> bool:
        """Whether the service itself says that there is nothing there."""
        return self.status == 404 and not self.is_page

    def text(self) -> str:
        """Return the body as text, whatever it is."""
        return self.body.decode("utf-8", errors="replace")

    def json_object(self, service: str) -> dict[str, Any]:
        """
        Return the body as a JSON object, with the first letter of its keys in lower case.

        The vendors' servers write lower-camel keys; their documentation prints Pascal ones, and the SDKs read both.

        :raises UnexpectedReply: if it is anything else
        """
        value = _parse(self.body)
        if isinstance(value, dict):
            return _lower_first(value)
        raise self._not_json(service)

    def json_objects(self, service: str) -> list[dict[str, Any]]:
        """
        Return the JSON objects in a body that is a list, as :meth:`json_object` does.

        :raises UnexpectedReply: if it is anything else
        """
        value = _parse(self.body)
        if isinstance(value, list):
            return [_lower_first(item) for item in value if isinstance(item, dict)]
        raise self._not_json(service)

    def _not_json(self, service: str) -> UnexpectedReply:
        return UnexpectedReply(
            f"{service} answered with {self.kind()} where JSON was due", service_message=self.message()
        )

    def kind(self) -> str:
        """Name what the body looks like, for a message."""
        if not self.body[:512].strip():
            return "nothing"
        if self.is_page:
            return "an HTML page"
        return f"HTTP {self.status} and {len(self.body)} bytes of {self.headers.get('content-type', 'unknown type')}"

    def message(self) -> str:
        """Return the words in which the service explains itself: an error's message, a page's title, or a text."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return quote_words(_page_title(self.text()))
        return quote_words(find_message(value) or f"HTTP {self.status}")


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


def find_message(value: object, depth: int = 5) -> str | None:
    """
    Find the explanation in an error body of any of the known shapes, nested or flat, in any letter case.

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

    :raises UnexpectedReply: if it is ``.`` or ``..``, which HTTP clients take for a way out of the folder, or no
        text that can be encoded
    """
    try:
        if text not in (".", ".."):
            return quote(text, safe="")
    except UnicodeEncodeError:
        pass
    raise UnexpectedReply(f"{text[:100]!r} is no name")


def path_segments(text: str) -> str:
    """
    Percent-encode a path from outside for a URL, keeping its slashes.

    :raises UnexpectedReply: as :func:`path_segment` does
    """
    return "/".join(map(path_segment, text.split("/")))


def query(**values: object) -> dict[str, str]:
    """Build query parameters, without those that are None or empty."""
    return {key: str(value) for key, value in values.items() if value is not None and value != ""}


def require_success(reply: Reply, service: str, operation_id: str | None = None) -> Reply:
    """
    Return the reply if its status is one of success.

    :param reply: the reply
    :param service: the service's name, for the message
    :param operation_id: the operation that was asked about, if any
    :raises DocConvError: of the type that says what to do about the status
    """
    if reply.ok:
        return reply
    raise refusal(reply, service, operation_id)


def refusal(reply: Reply, service: str, operation_id: str | None) -> DocConvError:
    """Build the error that says what to do about a reply whose status is not one of success."""
    status, message = reply.status, reply.message()
    if status == 401:
        return AuthenticationFailed(f"{service} refused a new access token", service_message=message)
    if status in (402, 403):
        return AccessDenied(f"{service} denied the request (HTTP {status})", service_message=message)
    if status == 404 and reply.is_page:
        return UnexpectedReply(f"{service} answered with {reply.kind()} (HTTP 404)", service_message=message)
    if status == 404 and operation_id:
        return OperationNotFound(
            f"{service} does not know the operation", service_message=message, operation_id=operation_id
        )
    if 300 <= status < 400:
        return ServiceUnavailable(
            f"{service} redirected the request, which it never should (HTTP {status})",
            remedy="check the connection's host: it must be the service's own address",
        )
    if status in (408, 429) or status >= 500:
        return ServiceUnavailable(f"{service} is not able to answer now (HTTP {status})", service_message=message)
    if operation_id:
        return UnexpectedReply(
            f"{service} refused the request (HTTP {status})",
            service_message=message,
            operation_id=operation_id,
            remedy="check that conn_id is the one that started it, and the connection's host",
        )
    return RefusedByService(f"{service} refused the request (HTTP {status})", service_message=message)


TOKEN_PATH = "/connect/token"  # noqa: S105 - a path, not a secret
_LONGEST_LEAD = 300
_USUAL_LIFE = 3600.0
_LONGEST_LIFE = 10**9


@dataclass(frozen=True, slots=True)
class Token:
    """
    An access token.

    :param value: what goes into the Authorization header
    :param renew_at: when to ask for another one, in seconds on the clock of the caller
    """

    value: str = field(repr=False)
    renew_at: float


def token_request(client_id: str, client_secret: str) -> Request:
    """Build the request for a token; its path is that of the service's own token endpoint."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return Request("POST", TOKEN_PATH, headers={"Accept": "application/json"}, body=form_body(form))


def read_token(reply: Reply, service: str, now: float) -> Token:
    """
    Read the token endpoint's reply.

    :param reply: the reply
    :param service: the service's name, for messages
    :param now: the time, in seconds
    :raises AuthenticationFailed: if the credentials are refused, or locked after too many refusals
    :raises ServiceUnavailable: if the endpoint can't answer now
    :raises UnexpectedReply: if the reply holds no token
    """
    if reply.status in (400, 401, 403):
        raise AuthenticationFailed(
            f"{service} refused the client id and secret (HTTP {reply.status})", service_message=reply.message()
        )
    if reply.status == 429:
        wait = reply.headers.get("retry-after", "")
        wait = wait if wait.isascii() and wait.isdigit() else "600"
        raise AuthenticationFailed(
            f"{service} has locked the login after too many refused ones",
            remedy="correct login (client id) and password (client secret) of the connection, "
            f"or wait {wait} seconds if they are right",
        )
    value = require_success(reply, f"{service}'s login").json_object(f"{service}'s login")
    token, lifetime = value.get("access_token"), value.get("expires_in")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise UnexpectedReply(f"{service}'s login answered without an access token")
    seconds = _USUAL_LIFE
    if isinstance(lifetime, int | float) and 0 < lifetime < _LONGEST_LIFE:
        seconds = float(lifetime)
    return Token(token, now + seconds - min(_LONGEST_LEAD, seconds / 5))


def hide(reply: Reply, secret: str) -> Reply:
    """Take a secret out of a reply that repeats it, before its words are cut to length."""
    body = reply.body
    for form in _forms(secret):
        if form in body:
            body = body.replace(form, b"***")
    return reply if body is reply.body else replace(reply, body=body)


# Every poll looks for the same token.
@lru_cache(maxsize=16)
def _forms(secret: str) -> tuple[bytes, bytes]:
    return secret.encode(), quote_plus(secret).encode()
