"""Decides whether a request is sent again."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from airflow_provider_docconv.services.errors import ServiceUnavailable, StartReplyLost, TLSFailed
from airflow_provider_docconv.services.http import Request

_ATTEMPTS = 4
_FIRST_DELAY = 0.5
#: Who asks for more seconds than these is not waited for.
LONGEST_DELAY = 60.0
#: The service says that it did nothing.
NOT_DONE = frozenset({429, 503})
BROKEN = NOT_DONE | {500, 502, 504}


class Fault(Enum):
    """How far a request came that got no reply."""

    NOT_SENT = "not sent"
    TLS = "certificate not verified"
    LOST = "reply lost"


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A request that got no reply.

    :param fault: how far it came
    :param words: how the transport describes it
    """

    fault: Fault
    words: str


class Attempts:
    """
    The attempts at one request.

    A start is sent again only if it surely did nothing; other requests also when the reply was lost.

    :param request: the request
    :param service: the service's name, for messages
    :param host: where it is sent, for messages
    :param again: the statuses after which it is sent again
    """

    def __init__(self, request: Request, service: str, host: str, again: Collection[int]) -> None:
        self._request = request
        self._service = service
        self._host = host
        self._again = again
        self._made = 0

    def after_reply(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait before the next attempt, or None if this reply is the answer."""
        self._made += 1
        if status not in self._again or self._made >= _ATTEMPTS:
            return None
        asked = retry_after(headers.get("retry-after"))
        if asked is not None and asked > LONGEST_DELAY:
            return None
        return self._backoff() if asked is None else asked

    def busy(self, status: int, headers: Mapping[str, str], delay: float | None) -> float | None:
        """
        Return the seconds for which the service wants to be left alone by everybody, None if it has not said so.

        :param status: the reply's status
        :param headers: the reply's headers, with lower-case names
        :param delay: what :meth:`after_reply` has said to it
        """
        asked = retry_after(headers.get("retry-after"))
        if status not in self._again or status not in NOT_DONE or (status == 503 and asked is None):
            return None
        return min((delay or 0.0) if asked is None else asked, LONGEST_DELAY)

    def after_failure(self, failure: Failure) -> float:
        """
        Return the seconds to wait before the next attempt.

        :raises TLSFailed: if the certificate can't be verified
        :raises StartReplyLost: if the request is a start that may have arrived
        :raises ServiceUnavailable: if enough attempts were made
        """
        self._made += 1
        if failure.fault is Fault.TLS:
            raise TLSFailed(f"the certificate of {self._service} at {self._host} was not verified ({failure.words})")
        if failure.fault is Fault.LOST and not self._request.repeatable:
            raise StartReplyLost(f"the reply of {self._service} to the start never came ({failure.words})")
        if self._made >= _ATTEMPTS:
            what = "can't be reached" if failure.fault is Fault.NOT_SENT else "does not answer"
            raise ServiceUnavailable(f"{self._service} at {self._host} {what} ({failure.words})")
        return self._backoff()

    def _backoff(self) -> float:
        return _FIRST_DELAY * 2 ** float(self._made - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, which is a number of seconds or a date (RFC 9110 §10.2.3)."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
