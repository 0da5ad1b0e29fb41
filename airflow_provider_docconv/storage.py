"""Sources and destinations: anything that ``ObjectStoragePath`` reaches, or the vendor's own storage."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, cast
from urllib.parse import urlsplit

from airflow_provider_docconv.addresses import is_addressable
from airflow_provider_docconv.client.failures import explain
from airflow_provider_docconv.hooks.fields import ConnectionType
from airflow_provider_docconv.services.documents import Document, StoredDocument
from airflow_provider_docconv.services.errors import (
    DestinationUnwritable,
    DocConvError,
    InvalidOptions,
    ResultRejected,
    SourceNotFound,
)
from airflow_provider_docconv.services.inspection import Inspection
from airflow_provider_docconv.services.signatures import (
    extension,
    fits_result,
    is_image_archive,
    kind_of,
    looks_like,
)
from airflow_provider_docconv.stored_addresses import read_stored

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# fsspec's default blocks hold 50 MiB and more; measured: these cost 34 MiB and are as fast.
_BLOCK = 8 << 20
_HEAD = 1024
_MAX_NAME = 200
# What the stores' drivers call a version, the most telling first.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_settings", "mtime", "LastModified", "updated")


class StoredResult(TypedDict):
    """A result at its destination: its address, its length in bytes, and its SHA-256 in hexadecimal."""

    uri: str
    size: int
    sha256: str


def open_source(uri: str, service: ConnectionType) -> Document | StoredDocument:
    """
    Find a source document.

    :param uri: its address: anything that ``ObjectStoragePath`` takes, or ``aspose-slides://storage/path`` and
        ``groupdocs-conversion://storage/path`` for a document in the vendor's storage (no storage name: the default)
    :param service: the type of the connection that will convert it
    :raises SourceNotFound: if there is no such document
    :raises InvalidOptions: if no store's driver would reach a document of that name
    """
    if stored := read_stored(uri, service):
        if not stored.name:
            raise InvalidOptions(f"{uri!r} names no document in the vendor's storage")
        return stored
    require_addressable(uri)
    try:
        file = to_path(uri)
        info = file.fs.info(file.path)
    except FileNotFoundError as error:
        raise SourceNotFound(
            f"the source does not exist, so nothing was sent to {service.label}", document=uri
        ) from error
    except Exception as error:  # The stores' drivers raise errors of their own kinds.
        raise SourceNotFound(
            f"the source can't be read ({explain(error)}), so nothing was sent to {service.label}", document=uri
        ) from error
    if info.get("type") == "directory":
        raise SourceNotFound(
            f"the source is a folder, so nothing was sent to {service.label}", document=uri, remedy="name one document"
        )
    return Document(file.name, lambda: _open_for_reading(file), info.get("size"), version_of(info))


def version_of(info: Mapping[str, Any]) -> str:
    """Return what tells this content of a file from an earlier one, as far as its store's listing says."""
    # Some drivers keep the quotes of the header in one place and drop them in another.
    return next((str(info[key]).removeprefix("W/").strip('"') for key in _VERSIONS if info.get(key)), "")


def to_path(uri: str) -> ObjectStoragePath:
    """Make a path of an address."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return ObjectStoragePath(uri)


def forget_store(uri: str) -> None:
    """Connect to the store of an address anew when it is next used; else Airflow keeps it as long as the process."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    # Airflow moved this function twice; the class was always beside it.
    attach = import_module(ObjectStoragePath.__module__).attach
    address = urlsplit(uri)
    with suppress(AttributeError):
        del attach(address.scheme or "file", address.netloc.rpartition("@")[0] or None).fs


def require_addressable(uri: str) -> None:
    """Refuse an address that would reach another object than it says."""
    if not is_addressable(uri):
        raise InvalidOptions(
            f"{uri!r} is no address of a document: a name can't end with # or ?, nor hold :: or ?versionId=",
            remedy="give it another name",
        )


def _open_for_reading(path: ObjectStoragePath) -> BinaryIO:
    try:
        # gcsfs's own cache reads up to 256 MiB ahead.
        return cast("BinaryIO", path.open("rb", block_size=_BLOCK, cache_type="readahead"))
    except OSError:
        raise
    except Exception as error:  # The stores' drivers raise errors of their own kinds.
        raise OSError(explain(error)) from error


class Destination:
    """
    Where the results of an operation go.

    :param uri: a folder if it ends with ``/``, else the file
    :param service: the service's name, for messages
    :param stem: names a single file in a folder, without its extension; if None, the service's own name does
    """

    def __init__(self, uri: str, service: str, stem: str | None) -> None:
        self._uri = uri
        self._service = service
        self._stem = stem

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
        return [{"uri": uri, "size": inspection.size, "sha256": inspection.sha256}]

    def _unwritable(self, uri: str) -> str:
        return f"the result still waits at {self._service}, but its destination {uri} can't be written"

    def _file_uri(self, offered_name: str | None, number: int | None, head: bytes) -> str:
        folder, slash, name = self._uri.rpartition("/")
        if not name:
            name = self._name_in_folder(offered_name, number, head)
        elif number is not None:
            stem, dot, end = name.rpartition(".")
            name = f"{stem}-{number}.{end}" if dot else f"{name}-{number}"
        if is_image_archive(name, head):
            name += ".zip"
        if not fits_result(extension(name), head):
            raise ResultRejected(f"the result of {self._service} is no .{extension(name)} file ({looks_like(head)})")
        require_addressable(f"{folder}{slash}{name}")
        return f"{folder}{slash}{name}"

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


def safe_name(name: str, service: str) -> str:
    """
    Return a file name from a service as it is.

    :raises ResultRejected: if it is none that is safe
    """
    unsafe = not name.isprintable() or {"/", "\\", "\0"} & set(name) or name.strip(". ") == ""
    if unsafe or len(name.encode()) > _MAX_NAME:
        raise ResultRejected(
            f"{service} calls its result {name[:_MAX_NAME]!r}, which is no safe file name",
            remedy="nothing was stored; give destination as a file instead of a folder if you trust the service",
        )
    return name


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """
    Turn whatever a store's driver raises into an error of ours.

    :param what: what can't be done, as a clause
    :raises DestinationUnwritable: with that clause and the driver's words
    """
    try:
        yield
    except DocConvError:
        raise
    except Exception as error:  # Each driver has kinds of its own.
        raise DestinationUnwritable(f"{what} ({explain(error)})") from error


def write_whole(path: ObjectStoragePath, content: bytes) -> None:
    """Write a small file so that nobody ever reads half of it."""
    with writing(path) as file:
        file.write(content)


def writing(path: ObjectStoragePath) -> AbstractContextManager[BinaryIO]:
    """Open a file for writing so that it appears whole, when the context ends well, or not at all."""
    return _writing_local(path) if path.protocol in ("file", "local", "") else _writing_object(path)


@contextmanager
def _writing_object(path: ObjectStoragePath) -> Iterator[BinaryIO]:
    # Not the file of the path's own open(), which can't be marked as closed.
    file = path.fs.open(path.path, "wb", block_size=_BLOCK, autocommit=False)
    try:
        yield cast("BinaryIO", file)
        file.close()
    except BaseException:
        with suppress(Exception):  # What went wrong before is what matters.
            file.discard()
        # Else adlfs, which can't discard, would commit what is there when the file is garbage.
        file.closed = True
        raise
    file.commit()


@contextmanager
def _writing_local(path: ObjectStoragePath) -> Iterator[BinaryIO]:
    # fsspec's own autocommit=False copies from the temporary folder, which shows a growing file.
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".docconv-{secrets.token_hex(8)}.part")
    try:
        with part.open("wb") as file:
            yield cast("BinaryIO", file)
        # The path's own replace() moves a file into a folder of that name.
        os.replace(part.path, path.path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
