"""Where a result goes: under a name that is safe, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NotRequired, TypedDict

from airflow_provider_docconv.addresses import read_address, require_addressable
from airflow_provider_docconv.names import folded, numbered, safe_name
from airflow_provider_docconv.services.errors import ResultRejected
from airflow_provider_docconv.services.inspection import Inspection
from airflow_provider_docconv.services.signatures import (
    extension,
    fits_result,
    is_image_archive,
    kind_of,
    looks_like,
)
from airflow_provider_docconv.storage import store_errors, to_path, writing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

_HEAD = 1024


class StoredResult(TypedDict):
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

    def store(self, chunks: Iterator[bytes], offered_name: str | None, number: int | None) -> list[StoredResult]:
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
                inspection.feed(chunk)  # Before it is written, because it hashes beside.
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
        stem = self._stem or "result"
        end = extension(offered) or kind_of(head)
        return ".".join(filter(None, (stem if number is None else f"{stem}-{number}", end)))


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first KiB of what comes, or more, and all of it again."""
    chunks = iter(chunks)
    first: list[bytes] = []
    while sum(map(len, first)) < _HEAD and (chunk := next(chunks, b"")):
        first.append(chunk)
    return b"".join(first), chain(first, chunks)
