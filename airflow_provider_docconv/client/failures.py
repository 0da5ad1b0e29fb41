"""Describes transport failures in a few words, and keeps secrets out of every error."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import quote_plus

from airflow_provider_docconv.services.errors import DocConvError, quote_words
from airflow_provider_docconv.services.messages import Reply

_OBJECT = re.compile(r"<[^<>]*object at 0x[0-9a-f]+>:? ?")


def explain(error: BaseException) -> str:
    """Describe an exception by its innermost cause ("Connection refused")."""
    for _ in range(10):
        inner = _inner(error)
        if inner is None:
            break
        error = inner
    if message := getattr(error, "verify_message", None):
        return str(message)
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return quote_words(_OBJECT.sub("", str(words))) or type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    candidates = (getattr(error, "reason", None), *error.args, error.__cause__)
    return next((inner for inner in candidates if isinstance(inner, BaseException)), None)


def hide(reply: Reply, secret: str) -> Reply:
    """Take a secret out of a reply that repeats it, before its words are cut to length."""
    body = reply.body
    for form in (secret, quote_plus(secret)):
        body = body.replace(form.encode(), b"***")
    return reply if body == reply.body else replace(reply, body=body)


def scrub(error: DocConvError, *secrets: str | None) -> None:
    """Take secrets out of an error: a service may repeat what it was sent."""
    for secret in filter(None, secrets):
        error.what = error.what.replace(secret, "***")
        error.said = error.said.replace(secret, "***") if error.said else None
    error.args = (error.what,)
