"""Logging in, and what happens without."""

from __future__ import annotations

import base64
import json

import pytest
import requests

from docconv_sandbox import Sandbox, Settings
from docconv_sandbox.auth import Auth
from tests.client import Client

STATUS_PATHS = ["/v3.0/slides/async/x", "/v2.0/conversion/async?id=x", "/v5.0/ocr/djvu2pdf?id=x"]


def test_a_token_is_a_jwt_that_says_when_it_expires(client: Client) -> None:
    answer = client.log_in("sandbox", "sandbox-secret").json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    claims = json.loads(base64.urlsafe_b64decode(answer["access_token"].split(".")[1] + "=="))
    assert claims["exp"] - claims["nbf"] == 3600
    assert claims["client_id"] == "sandbox"


def test_bad_credentials_are_refused(client: Client) -> None:
    answer = client.log_in("sandbox", "not the secret")
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_client"}


def test_five_failures_ban_the_pair_and_only_the_pair() -> None:
    with Sandbox() as sandbox:
        client = Client(sandbox)
        assert [client.log_in("sandbox", "wrong").status_code for _ in range(6)] == [400] * 5 + [429]
        banned = client.log_in("sandbox", "wrong")
        assert banned.headers["Retry-After"] == "600"
        assert banned.content == b""
        assert client.log_in("sandbox", "wrong again").status_code == 400
        assert client.log_in("sandbox", "sandbox-secret").status_code == 200
        stats = sandbox.stats()
        assert (stats["logins_ok"], stats["logins_refused"]) == (2, 8)


def test_the_ban_ends() -> None:
    time = [1000.0]
    auth = Auth(Settings(), clock=lambda: time[0])
    for _ in range(5):
        assert auth.log_in("a", "b") is None
    assert auth.is_banned("a", "b")
    time[0] += 600
    assert not auth.is_banned("a", "b")
    assert auth.log_in("a", "b") is None
    assert not auth.is_banned("a", "b")


def test_a_token_expires() -> None:
    time = [1000.0]
    auth = Auth(Settings(token_lifetime=60), clock=lambda: time[0])
    token = auth.log_in("sandbox", "sandbox-secret")
    assert token is not None
    assert auth.is_valid(token)
    time[0] += 60
    assert not auth.is_valid(token)


def test_tokens_can_be_made_to_expire() -> None:
    with Sandbox() as sandbox:
        client = Client(sandbox)
        assert client("GET", "/v2.0/conversion/formats").status_code == 200
        sandbox.expire_tokens()
        assert client("GET", "/v2.0/conversion/formats").status_code == 401


@pytest.mark.parametrize("path", STATUS_PATHS)
@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic c2FuZGJveA==", "Bearer a.b.\udcff"])
def test_no_service_works_without_a_token(client: Client, path: str, header: str | None) -> None:
    headers = {"Authorization": header.encode("utf-8", "surrogateescape")} if header else {}
    answer = requests.get(client.sandbox.url + path, headers=headers, timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_each_service_refuses_in_its_own_words(client: Client) -> None:
    slides, groupdocs, ocr = (requests.get(client.sandbox.url + path, timeout=30) for path in STATUS_PATHS)
    assert "expired" in slides.json()["error"]["message"]
    assert groupdocs.json()["requestId"]
    assert ocr.headers["Content-Type"].startswith("text/plain")
    assert ocr.json()["status"] == 401


def test_a_forged_token_is_refused(client: Client) -> None:
    token = client.log_in("sandbox", "sandbox-secret").json()["access_token"]
    head, _, signature = token.split(".")
    forged = base64.urlsafe_b64encode(b'{"exp": 99999999999}').decode().rstrip("=")
    headers = {"Authorization": f"Bearer {head}.{forged}.{signature}"}
    answer = requests.get(f"{client.sandbox.url}/v2.0/conversion/formats", headers=headers, timeout=30)
    assert answer.status_code == 401


def test_another_grant_is_refused(client: Client) -> None:
    answer = requests.post(f"{client.sandbox.url}/connect/token", data={"grant_type": "password"}, timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_broken_login_body_is_refused(client: Client) -> None:
    answer = requests.post(
        f"{client.sandbox.url}/connect/token",
        data=b"nonsense",
        headers={"Content-Type": "multipart/form-data"},
        timeout=30,
    )
    assert answer.status_code == 400
