"""
What a talk asks of the client that runs it.

A talk is a generator that yields these steps and is sent their outcomes. The blocking and the asynchronous client do
nothing else, so whatever is decided between the steps is written once. The idea is httpx's ``Auth.auth_flow``.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from airflow_provider_docconv.services.http import Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request to this URL; the outcome is a Reply or a Failure."""

    request: Request
    url: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def kind(self) -> str:
        """What the call is for: ``start``, ``status``, ``result``, ``upload``, ``cancel`` or ``login``."""
        if not self.request.repeatable:
            return "start"
        return {"GET": "status", "PUT": "upload", "DELETE": "cancel"}.get(self.request.method, "login")


@dataclass(frozen=True, slots=True)
class Open(Send):
    """Send it, but leave the body of a successful reply to be streamed; the outcome may be a Stream."""

    @property
    def kind(self) -> str:
        """Always ``result``."""
        return "result"


@dataclass(frozen=True, slots=True)
class Stream:
    """A successful reply whose body was not read yet."""

    status: int
    headers: Mapping[str, str]
    response: Any


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until another thread or event loop keeps this promise; the outcome is its result."""

    promise: Future[Any]


Talk: TypeAlias = Generator[Send | Sleep | Await, Any, T]
