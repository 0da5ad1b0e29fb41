"""What an operation made, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from airflow_provider_docconv.services.documents import StoredDocument
from airflow_provider_docconv.services.messages import Request


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
    :param stored: where it lies in the vendor's storage, if it does
    """

    operation_id: str | None
    request: Request
    name: str | None = None
    size: int | None = None
    decoder: Callable[[], Decoder] = field(default=Plain, repr=False)
    stored: StoredDocument | None = None
