"""One conversion asked of a service, and the files it made, in words that are the same for all services."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import (
    InvalidOptions,
    StartReplyLost,
    UnexpectedReply,
    quote_words,
)
from airflow_provider_docconv.services.http import Reply, Request, require_success

_MAX_ID = 200
_MAX_NUMBER = 1 << 50


class OperationState(StrEnum):
    """Where an operation stands, whatever the vendor calls it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    NOT_FOUND = "not_found"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


@dataclass(frozen=True, slots=True)
class Operation:
    """
    An operation as last seen.

    :param id: the operation id
    :param state: where it stands
    :param vendor_status: the vendor's own word for it
    :param message: the service's explanation of a failure
    :param step: the step that it is at, counted from 1, if the service reports progress
    :param steps: how many steps there are
    :param step_description: what the service says of the step ("Converting slide 3 of 15")
    """

    id: str
    state: OperationState
    vendor_status: str
    message: str | None = None
    step: int | None = None
    steps: int | None = None
    step_description: str | None = None

    @property
    def done(self) -> float:
        """The share of the work that is done, from 0 to 1; 0 if the service does not say."""
        return min(self.step / self.steps, 1.0) if self.step and self.steps else 0.0

    @property
    def progress(self) -> str:
        """Say in a few words how far it is ("running (Started), step 3 of 15: Converting slide 3 of 15")."""
        # With the vendor's word: one that nobody knows is taken for running until the deadline.
        text = f"{self.state.value.replace('_', ' ')} ({self.vendor_status})"
        if self.step is not None and self.steps:
            text += f", step {self.step} of {self.steps}"
        return f"{text}: {self.step_description}" if self.step_description else text

    def serialize(self) -> dict[str, Any]:
        """Return it as plain JSON values, for a trigger's event."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def deserialize(cls, values: Mapping[str, Any]) -> Operation:
        """Make it from what :meth:`serialize` returned."""
        return cls(**{**values, "state": OperationState(values["state"])})


class Started(NamedTuple):
    """
    An operation that a service has begun.

    :param operation_id: the operation
    :param remote_source: where in the vendor's storage the document was uploaded to, if it was
    """

    operation_id: str
    remote_source: RemoteDocument | None = None


def state_of(word: object, states: Mapping[str, OperationState]) -> OperationState:
    """
    Translate a vendor's status word.

    A word that nobody knows is no end: the vendor may add one any day, so waiting goes on until the deadline.
    """
    return states.get(str(word).strip().lower(), OperationState.RUNNING)


def status_word(value: object, service: str) -> str:
    """
    Return a vendor's status word, fit for a message.

    :raises UnexpectedReply: if there is none: then it was not the service that answered
    """
    word = words(str(value) if isinstance(value, int) else value)
    if word is None:
        raise UnexpectedReply(f"{service} answered without the operation's status")
    return word


def clean_operation_id(text: str) -> str:
    """
    Return an operation id without the quotes that some servers and SDKs leave around it.

    :raises ValueError: if it can't be one
    """
    value = text.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1].strip()
    odd = any(char in '<>{}"' or unicodedata.category(char)[0] in "CZ" for char in value[:_MAX_ID])
    if odd or not 0 < len(value) <= _MAX_ID:
        raise ValueError(f"not an operation id: {quote_words(text[:100])!r}")
    return value


def given_operation_id(value: object) -> str:
    """
    Return an operation id that a task was given, as :func:`clean_operation_id` does.

    :raises InvalidOptions: if it can't be one
    """
    try:
        # A template that finds nothing renders as "None".
        if isinstance(value, str) and value.strip() != "None":
            return clean_operation_id(value)
        raise ValueError(f"not an operation id: {quote_words(repr(value)[:100])}")
    except ValueError as error:
        raise InvalidOptions(str(error), remedy="give the operation id that the start task returned") from error


def whole_number(value: object) -> int | None:
    """Return a number from outside if it is a sensible count, of steps or of bytes, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_NUMBER else None


def words(value: object) -> str | None:
    """Return a text from outside, made fit for a message, or None."""
    return quote_words(value) or None if isinstance(value, str) else None


class Decoder(Protocol):
    """Turns the body of a result's reply into the document."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece and return what it gives."""

    def close(self) -> None:
        """Check that it was whole; raise a DocConvError if not."""


class Plain:
    """The decoder of services whose reply is the document itself."""

    def feed(self, chunk: bytes) -> bytes:
        """Return the piece as it is."""
        return chunk

    def close(self) -> None:
        """Find nothing to check: the transport has counted the bytes."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """
    One file that an operation made.

    :param operation_id: the operation, if it is known
    :param request: gets it
    :param name: what the service calls it, if it says; hostile
    :param size: its length in bytes, if the service says
    :param decoder: makes a decoder for the reply's body
    :param remote: where it lies in the vendor's storage, if it does
    """

    operation_id: str | None
    request: Request
    name: str | None = None
    size: int | None = None
    decoder: Callable[[], Decoder] = field(default=Plain, repr=False)
    remote: RemoteDocument | None = None


# Not implemented, and unavailable: the only breakdowns after which nothing can have begun. Proxies have more of
# their own (520 to 524), which say that the service took the request and did not answer in time.
_NOTHING_DONE = (501, 503)


def read_started(reply: Reply, service: str, remote_source: RemoteDocument | None = None) -> Started:
    """
    Read the reply to a start.

    :param reply: the reply
    :param service: the service's name, for messages
    :param remote_source: where the document was uploaded to, if it was

    :raises StartReplyLost: if the service may have begun, but the reply does not say as what
    :raises DocConvError: if the service refused
    """
    if reply.status >= 500 and reply.status not in _NOTHING_DONE:
        raise StartReplyLost(
            f"{service} broke down over the start (HTTP {reply.status})", service_message=reply.message()
        )
    require_success(reply, service)
    try:
        return Started(clean_operation_id(reply.text()), remote_source)
    except ValueError as error:
        raise StartReplyLost(
            f"{service} answered the start with {reply.kind()} instead of an operation id",
            service_message=reply.message(),
        ) from error
