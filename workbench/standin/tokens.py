"""Access tokens, which tell themselves until when they are good: a stand-in that was started anew takes old ones."""

from __future__ import annotations

import secrets
import time
from urllib.parse import parse_qs

LIFETIME = 3600


def is_login(form: bytes) -> bool:
    """Tell whether a form has an id and a secret; any will do."""
    fields = parse_qs(form.decode("utf-8", "replace"))
    return bool(fields.get("client_id") and fields.get("client_secret"))


def new_token() -> str:
    """Make a token."""
    return f"standin.{int(time.time()) + LIFETIME}.{secrets.token_hex(8)}"


def is_valid(authorization: str) -> bool:
    """Tell whether the header Authorization carries a token that is good."""
    scheme, _, token = authorization.partition(" ")
    words = token.strip().split(".")
    ours = scheme.lower() == "bearer" and len(words) == 3 and words[0] == "standin" and words[1].isdecimal()
    return ours and time.time() < int(words[1])
