"""Writes the results of an operation to their destination: under safe names, whole or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, NamedTuple, NotRequired, Protocol, TypedDict

from airflow_provider_docconv.services.catalog import ServiceInfo
from airflow_provider_docconv.services.errors import DocConvError, ResultRejected, ResultTooLarge, TruncatedResult
from airflow_provider_docconv.services.filetypes import (
    Inspection,
    extension,
    fits_package,
    fits_result,
    is_image_archive,
    kind_of,
    looks_like,
)
from airflow_provider_docconv.services.operations import ResultFile
from airflow_provider_docconv.transfer.addresses import (
    folded,
    numbered,
    require_addressable,
    safe_name,
)
from airflow_provider_docconv.transfer.object_storage import store_errors, to_path, writing

# How many first bytes show what a file is.
_HEAD = 1024
# How often a result that breaks off is fetched.
_DOWNLOADS = 3


class DeliveredFile(TypedDict):
    """
    A result at its destination: its address, its length in bytes, and its SHA-256 in hexadecimal.

    ``source_sha256`` is the SHA-256 of its source, if the Dag passes it on.
    """

    uri: str
    size: int
    sha256: str
    source_sha256: NotRequired[str]


class Bounds(NamedTuple):
    """
    How much a result may take.

    :param size: the most bytes that it may have
    :param until: when to stop fetching it, in seconds since the epoch
    """

    size: int = 16 << 30
    until: float | None = None


class NamedResult(Protocol):
    """A result that is being read."""

    announced: int | None

    @property
    def name(self) -> str | None:
        """What the service calls it; hostile."""


class ResultClient(Protocol):
    """What delivery needs of a hook."""

    @property
    def service(self) -> ServiceInfo:
        """The service."""

    def open_result(
        self, file: ResultFile, until: float | None
    ) -> AbstractContextManager[tuple[NamedResult, Iterator[bytes]]]:
        """Open a result: what is known of it, and its bytes."""

    def clean_up(self, operation_id: str, files: Sequence[ResultFile]) -> bool:
        """Delete what an operation has left at the service; return whether there was anything to delete."""


def deliver(
    client: ResultClient,
    files: Sequence[ResultFile],
    destination: Destination,
    log: logging.Logger | Any,
    bounds: Bounds,
) -> list[DeliveredFile]:
    """
    Fetch all results of an operation, and return where they were delivered.

    :param client: the hook of the connection that started the operation
    :param files: the results
    :param destination: where they go
    :param log: gets a line for a result that has to be fetched again
    :param bounds: how much a result may take
    :raises DocConvError: if one could not be fetched or delivered
    """
    numbers = [None] if len(files) == 1 else range(1, len(files) + 1)
    return [
        delivered
        for file, number in zip(files, numbers, strict=True)
        for delivered in _fetch(client, file, destination, number, log, bounds)
    ]


def _fetch(
    client: ResultClient,
    file: ResultFile,
    destination: Destination,
    number: int | None,
    log: logging.Logger | Any,
    bounds: Bounds,
) -> list[DeliveredFile]:
    for _ in range(_DOWNLOADS - 1):
        try:
            return _fetch_once(client, file, destination, number, bounds)
        except TruncatedResult as error:
            if bounds.until is not None and time.time() >= bounds.until:
                raise
            log.warning("%s Fetching it again.", error)
    return _fetch_once(client, file, destination, number, bounds)


def _fetch_once(
    client: ResultClient, file: ResultFile, destination: Destination, number: int | None, bounds: Bounds
) -> list[DeliveredFile]:
    with client.open_result(file, bounds.until) as (result, chunks):
        if result.announced is not None and result.announced > bounds.size:
            raise _too_large(client, file, result.announced, bounds)
        return destination.write(_bounded(client, file, chunks, bounds), result.name, number)


def _bounded(client: ResultClient, file: ResultFile, chunks: Iterator[bytes], bounds: Bounds) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > bounds.size:
            raise _too_large(client, file, size, bounds)
        yield chunk


def _too_large(client: ResultClient, file: ResultFile, size: int, bounds: Bounds) -> ResultTooLarge:
    return ResultTooLarge(
        f"the result from {client.service.label} has {size} bytes or more, but at most {bounds.size} are allowed",
        operation_id=file.operation_id,
    )


def clean_up(client: ResultClient, operation_id: str, files: Sequence[ResultFile], log: logging.Logger | Any) -> None:
    """
    Delete what an operation has left at the service. A failure is only logged.

    :param client: the hook of the connection that started the operation
    :param operation_id: the operation, whose results are delivered
    :param files: its results, and what was uploaded for it
    :param log: gets a line about it
    """
    label = client.service.label
    try:
        deleted = client.clean_up(operation_id, files)
    except DocConvError as error:
        log.warning("The results were delivered, but could not be deleted at %s: %s", label, error)
        return
    if deleted:
        log.info("Deleted the files of operation %s at %s", operation_id, label)
    else:
        log.info("%s keeps the result until it expires: it has no call to delete one", label)


class Destination:
    """
    Where the results of one operation go.

    :param uri: the address of a file, or of a folder, which ends with a slash
    :param service: the service's name, for messages
    :param stem: names a single file in a folder, without its extension; if None, the service's own name does
    """

    def __init__(self, uri: str, service: str, stem: str | None) -> None:
        self._uri = uri
        self._service = service
        self._stem = stem
        self._taken: set[str] = set()

    def write(self, chunks: Iterator[bytes], offered_name: str | None, number: int | None) -> list[DeliveredFile]:
        """
        Write a result, so that it appears complete or not at all.

        :param chunks: its bytes
        :param offered_name: the service's name for it; hostile
        :param number: its number from 1 if there are several
        :raises ResultRejected: if its name or its content is unsafe, or not what was asked for
        :raises TruncatedResult: if its end is missing
        :raises DestinationUnwritable: if it can't be written
        """
        head, chunks = split_head(chunks)
        uri = self._file_uri(offered_name, number, head)
        inspection = Inspection(f"the result from {self._service}")
        with store_errors(self._unwritable(uri)), writing(to_path(uri)) as file:
            for chunk in chunks:
                inspection.feed(chunk)
                file.write(chunk)
            inspection.require_whole()
        self._taken.add(folded(uri))
        return [{"uri": uri, "size": inspection.size, "sha256": inspection.sha256}]

    def _unwritable(self, uri: str) -> str:
        return f"{self._service} still has the result, but {uri} can't be written"

    def _file_uri(self, offered_name: str | None, number: int | None, head: bytes) -> str:
        folder, slash, name = self._uri.rpartition("/")
        if not name:
            name = self._name_in_folder(offered_name, number, head)
        elif number:
            name = numbered(name, number)
        if is_image_archive(name, head):
            name += ".zip"
        end = extension(name)
        if not fits_package(end, head):
            raise ResultRejected(
                f"the result from {self._service} is not a .{end} file ({looks_like(head)})",
                remedy="nothing was written and the service still has it: correct destination, then clear this task",
            )
        if not fits_result(end, head):
            raise ResultRejected(f"the result from {self._service} is not a .{end} file ({looks_like(head)})")
        uri = f"{folder}{slash}{name}"
        while number and folded(uri) in self._taken:  # The results of one operation must not replace each other.
            uri = numbered(uri, number)
        require_addressable(uri)
        return uri

    def _name_in_folder(self, offered_name: str | None, number: int | None, head: bytes) -> str:
        offered = safe_name(offered_name, self._service) if offered_name else ""
        if offered and (self._stem is None or number is not None):
            return offered
        end = extension(offered) or kind_of(head)
        name = ".".join(filter(None, (self._stem or "result", end)))
        return numbered(name, number) if number else name


def split_head(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return at least the first KiB of a file, and an iterator over all of it."""
    chunks = iter(chunks)
    first: list[bytes] = []
    while sum(map(len, first)) < _HEAD and (chunk := next(chunks, b"")):
        first.append(chunk)
    return b"".join(first), chain(first, chunks)
