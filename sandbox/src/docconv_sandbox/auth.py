"""Logging in: tokens that expire, and the limit on failed logins."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docconv_sandbox.settings import Settings

FAILURES_BEFORE_BAN = 5
BAN_SECONDS = 600


@dataclass
class _Failures:
    count: int = 0
    banned_until: float = 0.0


class Auth:
    """
    Checks credentials and tokens.

    :param settings: has the credentials and the tokens' lifetime.
    :param clock: gives the seconds since the epoch.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._key = secrets.token_bytes(32)
        # Of tokens that were looked at before: their signature is good.
        self._expiries: dict[str, float] = {}
        self._failures: dict[bytes, _Failures] = {}
        self.logins_ok = 0
        self.logins_refused = 0

    def log_in(self, client_id: str, client_secret: str) -> str | None:
        """Give a token for good credentials, nothing for bad ones."""
        expected = f"{self._settings.client_id}\0{self._settings.client_secret}".encode()
        pair = f"{client_id}\0{client_secret}".encode()
        if hmac.compare_digest(expected, pair):
            self.logins_ok += 1
            return self._token(client_id)
        failures = self._failures.setdefault(hashlib.sha256(pair).digest(), _Failures())
        failures.count += 1
        if failures.count >= FAILURES_BEFORE_BAN:
            failures.banned_until = self._clock() + BAN_SECONDS
            failures.count = 0
        self.logins_refused += 1
        return None

    def is_banned(self, client_id: str, client_secret: str) -> bool:
        """Tell whether this pair failed too often. The limit is per pair: changing either value lifts it."""
        pair = f"{client_id}\0{client_secret}".encode()
        failures = self._failures.get(hashlib.sha256(pair).digest())
        return failures is not None and self._clock() < failures.banned_until

    def is_valid(self, token: str) -> bool:
        """Tell whether a token is one of ours and not expired."""
        if token in self._expiries:
            return self._clock() < self._expiries[token]
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(signed).encode(), signature.encode("utf-8", "replace")):
            return False
        self._expiries[token] = json.loads(_decode(signed.partition(".")[2]))["exp"]
        return self._clock() < self._expiries[token]

    def expire_tokens(self) -> None:
        """Make every token given so far invalid."""
        self._key = secrets.token_bytes(32)
        self._expiries.clear()

    def _token(self, client_id: str) -> str:
        issued = int(self._clock())
        claims = {
            "nbf": issued,
            "exp": issued + self._settings.token_lifetime,
            "iss": "https://api.aspose.cloud",
            "aud": ["api.slides", "api.conversion", "api.ocr"],
            "client_id": client_id,
            "client_default_storage": self._settings.storages[0],
            "scope": ["api.slides", "api.conversion", "api.ocr"],
            # Two tokens of one second are two tokens, so that a test can tell a new one from an old one.
            "jti": secrets.token_hex(16),
        }
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{self._sign(signed)}"

    def _sign(self, signed: str) -> str:
        digest = hmac.digest(self._key, signed.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
