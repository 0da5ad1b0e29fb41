"""The faults that calls are answered with, drawn with a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from workbench.standin.replies import Reply, refusal

#: A status, a 429 whose Retry-After is a date, a connection that is reset, a body that breaks off, a wrong body.
KINDS = ("500", "503", "429", "429-date", "reset", "truncated", "garbage")
# Who answers one of these has done nothing.
_NOTHING_DONE = {"503", "429", "429-date"}
_PAGE = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>Try again later.</body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """
    A fault for one call.

    :param kind: one of :data:`KINDS`.
    :param done: whether the call does its work all the same, and only its reply is lost.
    :param noise: the body of a reply that is garbage.
    """

    kind: str
    done: bool
    noise: bytes = _PAGE

    def reply(self) -> Reply:
        """Return what is sent instead of the reply, for a kind that is a reply."""
        match self.kind:
            case "500":
                return refusal(500, "Internal server error.", "errorInternal")
            case "503":
                return refusal(503, "The service is unavailable.", "errorUnavailable")
            case "429":
                return refusal(429, "Too many requests.", "errorTooManyRequests", {"Retry-After": "1"})
            case "429-date":
                return refusal(429, "Too many requests.", "errorTooManyRequests", {"Retry-After": _in_a_second()})
            case "garbage":
                kind = "text/html" if self.noise is _PAGE else "application/octet-stream"
                return Reply(200, self.noise, kind)
        raise ValueError(f"{self.kind} is no reply.")


class Faults:
    """
    Draws faults, in the same order each time: the nth start meets the same fate, however often is polled meanwhile.

    :param share: the share of calls with a fault.
    :param kinds: the kinds to draw from.
    :param seed: decides what is drawn.
    """

    def __init__(self, share: float, kinds: Sequence[str], seed: int) -> None:
        self._share = share
        self._kinds = kinds
        self._seed = seed
        self._randoms: dict[str, random.Random] = {}

    def draw(self, call: str) -> Fault | None:
        """Decide about the next call of a kind: token, start, status, result or cancel."""
        if call not in self._randoms:
            self._randoms[call] = random.Random(f"{self._seed} {call}")  # noqa: S311 - no secret
        chance = self._randoms[call]
        if chance.random() >= self._share:
            return None
        kind = chance.choice(self._kinds)
        done = chance.random() < 0.5 and kind not in _NOTHING_DONE
        noise = chance.randbytes(chance.randint(100, 1000)) if chance.random() < 0.5 else _PAGE
        return Fault(kind, done, noise)


def _in_a_second() -> str:
    # The format has whole seconds: this is between half a second and one and a half ahead.
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1.5), usegmt=True)
