"""
The client-credentials grant of OAuth2, as all three services speak it.

Facts: ``POST /connect/token`` with ``grant_type``, ``client_id`` and ``client_secret`` in a form, answered with
``access_token`` and ``expires_in``; HTTP 400 ``invalid_client`` for bad credentials; five of those for one pair of
id and secret, and the endpoint answers 429 with ``Retry-After: 600`` (Aspose Cloud's page on rate limits).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_docconv.services.bodies import form_body
from airflow_provider_docconv.services.errors import AuthenticationFailed, UnexpectedReply
from airflow_provider_docconv.services.messages import Reply, Request
from airflow_provider_docconv.services.replies import require_success

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
            f"{service} refused the client id and secret (HTTP {reply.status})", said=reply.said()
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
