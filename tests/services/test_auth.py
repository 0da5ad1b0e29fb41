"""How each authentication signs requests."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.hooks.connections import standard_fields
from airflow_provider_docconv.services.catalog import (
    ASPOSE_SLIDES,
    BASIC,
    BEARER,
    CLIENT_CREDENTIALS,
    NO_AUTHENTICATION,
    Authentication,
    api_key,
)
from airflow_provider_docconv.services.http import NeedsToken, Request, Token, create_auth
from tests.support.flows import reply

REQUEST = Request("GET", "/x", headers={"Accept": "a/b"})
PAIR = b64encode("Ünsal:pass:word".encode()).decode()
SIGNED: list[tuple[Authentication, dict[str, str]]] = [
    (NO_AUTHENTICATION, {}),
    (api_key("X-Key"), {"X-Key": "pass:word"}),
    (BEARER, {"Authorization": "Bearer pass:word"}),
    (BASIC, {"Authorization": f"Basic {PAIR}"}),
]


@pytest.mark.parametrize(("authentication", "headers"), SIGNED)
def test_one_request_is_signed_once(authentication: Authentication, headers: dict[str, str]) -> None:
    auth = create_auth(authentication, "X", "Ünsal", "pass:word")
    [signed] = auth.flow(REQUEST)
    assert signed.headers == {"Accept": "a/b", **headers}
    assert "pass:word" not in repr(auth)
    assert all(secret not in repr(signed) for secret in auth.secrets)
    with pytest.raises(NotImplementedError):
        auth.log_in(0.0)


def play(refusals: int) -> list[Any]:
    """Sign a request that is refused some times; return what was asked and sent."""
    flow = create_auth(CLIENT_CREDENTIALS, "X", "id", "secret").flow(REQUEST)
    seen: list[Any] = []
    answer: Any = None
    tokens = iter([Token("one", 1.0), Token("two", 1.0)])
    try:
        while True:
            asked = flow.send(answer)
            seen.append(asked.refused if isinstance(asked, NeedsToken) else asked.headers["Authorization"])
            refusals -= not isinstance(asked, NeedsToken)
            answer = next(tokens) if isinstance(asked, NeedsToken) else reply({}, 401 if refusals >= 0 else 200)
    except StopIteration:
        return seen


def test_a_refused_token_is_renewed_once() -> None:
    assert play(0) == [None, "Bearer one"]
    assert play(1) == [None, "Bearer one", Token("one", 1.0), "Bearer two"]
    assert play(2) == [None, "Bearer one", Token("one", 1.0), "Bearer two"]


FORMS: list[tuple[Authentication, list[str], str]] = [
    (NO_AUTHENTICATION, ["schema", "login", "password"], ""),
    (api_key("X"), ["schema", "login"], "password (API key)"),
    (BEARER, ["schema", "login"], "password (token)"),
    (BASIC, ["schema"], "login (user name) and password"),
    (CLIENT_CREDENTIALS, ["schema"], "login (client id) and password (client secret)"),
]


@pytest.mark.parametrize(("authentication", "hidden", "words"), FORMS)
def test_the_form_asks_for_what_it_takes(authentication: Authentication, hidden: list[str], words: str) -> None:
    assert standard_fields(replace(ASPOSE_SLIDES, authentication=authentication))["hidden-fields"] == hidden
    assert authentication.credentials == words


def test_the_token_is_where_the_service_says() -> None:
    settings = Settings("aspose_slides", "id", "secret")
    assert settings.token_url == "https://api.aspose.cloud/connect/token"
    moved = replace(CLIENT_CREDENTIALS, token_path="/oauth/token")
    request = next(create_auth(moved, "X", "id", "secret").log_in(0.0))
    assert (request.path, b"client_secret=secret" in b"".join(request.body.chunks())) == ("/oauth/token", True)
