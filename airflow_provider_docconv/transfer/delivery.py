"""Brings an operation's results to their destination: under safe names, whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from airflow_provider_docconv.services.errors import DocConvError, ResultRejected, TruncatedResult
from airflow_provider_docconv.services.filetypes import (
    Inspection,
    extension,
    fits_result,
    is_image_archive,
    kind_of,
    looks_like,
)
from airflow_provider_docconv.transfer.addresses import folded, numbered, read_address, require_addressable, safe_name
from airflow_provider_docconv.transfer.object_storage import store_errors, to_path, writing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    pass
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.service import ResultFile

_HEAD = 1024


class DeliveredFile(TypedDict):
    """
    A result at its destination: its address, its length in bytes, and its SHA-256 in hexadecimal.

    ``source_sha256`` is that of the document it was made from, where the Dag hands it on.
    """

    uri: str
    size: int
    sha256: str
    source_sha256: NotRequired[str]


class Destination:
    """
    Where the results of one operation go.

    :param uri: a folder if it ends with ``/``, else the file
    :param service: the service's name, for messages
    :param stem: names a single file in a folder, without its extension; if None, the service's own name does
    :raises InvalidOptions: if it is no address
    """

    def __init__(self, uri: str | ObjectStoragePath, service: str, stem: str | None) -> None:
        self._uri = read_address(uri, "destination")
        self._service = service
        self._stem = stem
        self._taken: set[str] = set()

    def store(self, chunks: Iterator[bytes], offered_name: str | None, number: int | None) -> list[DeliveredFile]:
        """
        Write a result, so that it appears whole or not at all.

        :param chunks: its bytes
        :param offered_name: what the service calls it; hostile
        :param number: its number from 1 if there are several
        :raises ResultRejected: if its name or its content is unsafe, or not what was asked for
        :raises TruncatedResult: if it has no end
        :raises DestinationUnwritable: if it can't be written
        """
        head, chunks = peek(chunks)
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
        return f"the result still waits at {self._service}, but its destination {uri} can't be written"

    def _file_uri(self, offered_name: str | None, number: int | None, head: bytes) -> str:
        folder, slash, name = self._uri.rpartition("/")
        if not name:
            name = self._name_in_folder(offered_name, number, head)
        elif number:
            name = numbered(name, number)
        if is_image_archive(name, head):
            name += ".zip"
        if not fits_result(extension(name), head):
            raise ResultRejected(f"the result of {self._service} is no .{extension(name)} file ({looks_like(head)})")
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


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first KiB of what comes, or more, and all of it again."""
    chunks = iter(chunks)
    first: list[bytes] = []
    while sum(map(len, first)) < _HEAD and (chunk := next(chunks, b"")):
        first.append(chunk)
    return b"".join(first), chain(first, chunks)


_DOWNLOADS = 3


def deliver(
    hook: DocConvHook, files: Sequence[ResultFile], destination: Destination, log: logging.Logger | Any
) -> list[DeliveredFile]:
    """
    Fetch everything that an operation made, and say where it lies.

    :param hook: the hook of the connection that started the operation
    :param files: what its operation has made
    :param destination: where the results go
    :param log: gets a line for a result that has to be fetched again
    :raises DocConvError: if one could not be fetched or stored, of the type that says what to do
    """
    numbers = [None] if len(files) == 1 else range(1, len(files) + 1)
    return [
        stored
        for file, number in zip(files, numbers, strict=True)
        for stored in _fetch(hook, file, destination, number, log)
    ]


def clean_up(hook: DocConvHook, operation_id: str, files: Sequence[ResultFile], log: logging.Logger | Any) -> None:
    """
    Delete what an operation has left at the service; that this fails is no reason to fail.

    :param hook: the hook of the connection that started the operation
    :param operation_id: the operation, whose results are delivered
    :param files: what it has made, and what was uploaded for it
    :param log: gets a line about it
    """
    try:
        deleted = hook.clean_up(operation_id, files)
    except DocConvError as error:
        log.warning("The results are stored, but %s still has them: %s", hook.service.label, error)
        return
    if deleted:
        log.info("Deleted at %s what operation %s had left there", hook.service.label, operation_id)
    else:
        log.info("%s keeps the result until it expires: there is nothing that could be deleted", hook.service.label)


def _fetch(
    hook: DocConvHook, file: ResultFile, destination: Destination, number: int | None, log: logging.Logger | Any
) -> list[DeliveredFile]:
    for _ in range(_DOWNLOADS - 1):
        try:
            return _fetch_once(hook, file, destination, number, log)
        except TruncatedResult as error:
            log.warning("%s Fetching it again", error)
    return _fetch_once(hook, file, destination, number, log)


def _fetch_once(
    hook: DocConvHook, file: ResultFile, destination: Destination, number: int | None, log: logging.Logger | Any
) -> list[DeliveredFile]:
    with hook.open_result(file) as (result, chunks):
        return destination.store(chunks, result.name, number)
