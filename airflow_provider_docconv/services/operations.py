"""Operations and their results, in terms that are the same for all services."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

from airflow_provider_docconv.services.documents import RemoteDocument
from airflow_provider_docconv.services.errors import (
    InvalidOptions,
    StartReplyLost,
    UnexpectedReply,
    one_line,
)
from airflow_provider_docconv.services.http import Call, Reply, Request, Vendor

_MAX_ID = 200
_MAX_NUMBER = 1 << 50


class OperationState(StrEnum):
    """The state of an operation, whatever the vendor calls it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    NOT_FOUND = "not_found"

    @property
    def is_terminal(self) -> bool:
        """Whether the operation has ended."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


@dataclass(frozen=True, slots=True)
class Operation:
    """
    An operation as last seen.

    :param id: the operation id
    :param state: its state
    :param vendor_status: its state in the vendor's words
    :param message: the service's explanation of a failure
    :param step: the current step, counted from 1, if the service reports progress
    :param steps: the number of steps
    :param step_description: the service's description of the step ("Converting slide 3 of 15")
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
        """The share of the work that is done, from 0 to 1; 0 if the service does not report it."""
        return min(self.step / self.steps, 1.0) if self.step and self.steps else 0.0

    @property
    def progress(self) -> str:
        """The progress in a few words ("running (Started), step 3 of 15: Converting slide 3 of 15")."""
        # With the vendor's status, because an unknown one counts as running.
        text = f"{self.state.value.replace('_', ' ')} ({self.vendor_status})"
        if self.step is not None and self.steps:
            text += f", step {self.step} of {self.steps}"
        return f"{text}: {self.step_description}" if self.step_description else text

    def serialize(self) -> dict[str, Any]:
        """Return plain JSON values, for a trigger's event."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def deserialize(cls, values: Mapping[str, Any]) -> Operation:
        """Return the operation that :meth:`serialize` was called on."""
        return cls(**{**values, "state": OperationState(values["state"])})


class Started(str):
    """
    The id of an operation that a service has started.

    :param operation_id: the id
    :param remote_source: the document in the vendor's storage, if it was uploaded there
    """

    remote_source: RemoteDocument | None

    def __new__(cls, operation_id: str, remote_source: RemoteDocument | None = None) -> Self:
        """Make one of an id."""
        self = super().__new__(cls, operation_id)
        self.remote_source = remote_source
        return self

    @property
    def operation_id(self) -> str:
        """The id, as a plain text."""
        return str.__str__(self)


def state_of(vendor_status: object, states: Mapping[str, OperationState]) -> OperationState:
    """
    Translate a vendor's status.

    An unknown one counts as running: the vendor may add a status at any time.
    """
    return states.get(str(vendor_status).strip().lower(), OperationState.RUNNING)


def read_status(value: object, service: str) -> str:
    """
    Return a vendor's status, fit for a message.

    :raises UnexpectedReply: if there is none, so that the reply can't come from the service
    """
    vendor_status = printable(str(value) if isinstance(value, int) else value)
    if vendor_status is None:
        raise UnexpectedReply(f"{service} replied without the operation's status")
    return vendor_status


def clean_operation_id(text: str) -> str:
    """
    Return an operation id without the quotes that some servers and SDKs leave around it.

    :raises ValueError: if it can't be an operation id
    """
    value = text.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1].strip()
    odd = any(char in '<>{}"' or unicodedata.category(char)[0] in "CZ" for char in value[:_MAX_ID])
    if odd or not 0 < len(value) <= _MAX_ID:
        raise ValueError(f"not an operation id: {one_line(text[:100])!r}")
    return value


def read_operation_id(value: object) -> str:
    """
    Return an operation id that a task was given, as :func:`clean_operation_id` does.

    :raises InvalidOptions: if it can't be an operation id
    """
    try:
        # A template without a value renders as "None".
        if isinstance(value, str) and value.strip() != "None":
            return clean_operation_id(value)
        raise ValueError(f"not an operation id: {one_line(repr(value)[:100])}")
    except ValueError as error:
        raise InvalidOptions(str(error), remedy="give the operation id that the start task returned") from error


def whole_number(value: object) -> int | None:
    """Return a number from outside if it is a plausible count of steps or bytes, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_NUMBER else None


def printable(value: object) -> str | None:
    """Return a text from outside, fit for a message, or None if it is not a text or empty."""
    return one_line(value) or None if isinstance(value, str) else None


class Decoder(Protocol):
    """Decodes the body of a reply to a result."""

    def feed(self, chunk: bytes) -> bytes:
        """Decode the next piece."""

    def close(self) -> None:
        """Check that all of it came; raise a DocConvError if not."""


class PlainDecoder:
    """Decodes nothing: the body is the result."""

    def feed(self, chunk: bytes) -> bytes:
        """Return the next piece, unchanged."""
        return chunk

    def close(self) -> None:
        """Check nothing: the client counts the bytes."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """
    One of an operation's results.

    :param operation_id: the operation, if known
    :param request: the request that fetches it
    :param name: the service's name for it, if there is one; hostile
    :param size: its length in bytes, if the service reports it
    :param decoder: makes a decoder for the reply's body
    :param remote: the file in the vendor's storage, if it is there
    """

    operation_id: str | None
    request: Request
    name: str | None = None
    size: int | None = None
    decoder: Callable[[], Decoder] = field(default=PlainDecoder, repr=False)
    remote: RemoteDocument | None = None


def read_started(
    reply: Reply, vendor: Vendor, remote_source: RemoteDocument | None = None, key: str | None = None
) -> Started:
    """
    Read the reply to a start.

    :param reply: the reply
    :param vendor: whose reply it is
    :param remote_source: the document in the vendor's storage, if it was uploaded there
    :param key: the field of the operation id, if the reply is a JSON object
    :raises StartReplyLost: if the operation may have started, but the reply has no operation id
    :raises DocConvError: if it certainly has not started, of the type that fits the status
    """
    vendor.require_success(reply, Call.START)
    try:
        text = reply.text() if key is None else (reply.parsed_object() or {}).get(key)
        return Started(clean_operation_id(str(text or "")), remote_source)
    except ValueError as error:
        raise StartReplyLost(
            f"{vendor.label} replied to the start with {reply.kind()} instead of an operation id",
            service_message=reply.message(),
        ) from error
