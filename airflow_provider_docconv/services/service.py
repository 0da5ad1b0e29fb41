"""What every conversion service can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from airflow_provider_docconv.services.documents import Document, StoredDocument
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.messages import Flow, Request
from airflow_provider_docconv.services.operations import Operation


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

    :param operation_id: the operation
    :param request: gets it
    :param name: what the service calls it, if it says; hostile
    :param size: its length in bytes, if the service says
    :param decoder: makes a decoder for the reply's body
    """

    operation_id: str
    request: Request
    name: str | None = None
    size: int | None = None
    decoder: Callable[[], Decoder] = field(default=Plain, repr=False)


class ConversionService(ABC):
    """
    A vendor's protocol: builds requests and reads replies, and does neither I/O nor waiting.

    Its methods are flows: generators that yield requests and are sent replies, so that the same code serves a
    blocking client and an asynchronous one.

    :param storage: name of the vendor's storage that is used when nothing else is said
    """

    #: The connection type.
    name: ClassVar[str]
    #: The name in messages.
    label: ClassVar[str]
    default_host: ClassVar[str]
    #: The option names, as the vendor spells its parameters.
    options: ClassVar[frozenset[str]]
    #: The target formats in lower case; empty if only the service knows.
    target_formats: ClassVar[frozenset[str]] = frozenset()
    can_cancel: ClassVar[bool] = False
    has_storage: ClassVar[bool] = False

    def __init__(self, storage: str | None = None) -> None:
        self.storage = storage

    @abstractmethod
    def start(self, source: Document | StoredDocument, target_format: str, options: Mapping[str, Any]) -> Flow[str]:
        """
        Start a conversion and return the operation id.

        :param source: the document
        :param target_format: the format to convert to, as the vendor names it
        :param options: options by the vendor's parameter names
        :raises InvalidOptions: if the service has no such format or option
        :raises StartReplyLost: if it may have begun, but no operation id came back
        :raises DocConvError: if the service refused
        """

    @abstractmethod
    def status(self, operation_id: str) -> Flow[Operation]:
        """
        Ask where an operation stands; an unknown one is in the state ``NOT_FOUND``.

        :raises DocConvError: if the service did not answer that
        """

    @abstractmethod
    def results(self, operation_id: str) -> Flow[list[ResultFile]]:
        """
        List the files that a successful operation made.

        :raises DocConvError: if the service did not answer that
        """

    def cancel(self, operation_id: str) -> Flow[bool]:
        """Cancel an operation where the service can; return whether it was asked to."""
        return False
        yield  # makes it a flow like the others

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> Flow[bool]:
        """
        Delete what a successful operation has left at the service or in its storage, where that can be done.

        :param operation_id: the operation
        :param files: what :meth:`results` returned
        :return: whether there was anything to delete
        :raises DocConvError: if the service did not delete it
        """
        return False
        yield  # makes it a flow like the others

    def password(self, options: Mapping[str, Any]) -> str | None:
        """Return the document's password out of the options, if one is given."""
        value = options.get("password")
        return value if isinstance(value, str) and value else None

    def check(self, target_format: str, options: Mapping[str, Any]) -> None:
        """
        Check a target format and the options' names.

        :raises InvalidOptions: if the service has no such thing
        """
        if not target_format or not target_format.isalnum():
            raise InvalidOptions(f"{target_format!r} is no target format")
        if self.target_formats and target_format.lower() not in self.target_formats:
            known = ", ".join(sorted(self.target_formats))
            raise InvalidOptions(f"{self.label} can't convert to {target_format!r}, only to {known}")
        if unknown := sorted(set(options) - self.options):
            known = ", ".join(sorted(self.options))
            raise InvalidOptions(f"{self.label} has no option {unknown[0]!r}, only {known}")


def query(**values: object) -> dict[str, str]:
    """Build query parameters, without those that are None or empty."""
    return {key: str(value) for key, value in values.items() if value is not None and value != ""}
