"""A file in an object store that appears whole when it is committed, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from airflow_provider_docconv.services.errors import DestinationUnwritable, DocConvError, explain

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# fsspec's default blocks hold 50 MiB and more; measured: these cost 34 MiB and are as fast.
BLOCK = 8 << 20
# The stores in which an object that is sent in one request appears when all of it has come.
_WHOLE_BY_REQUEST = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})


class ObjectFile:
    """
    An object that is being written.

    What fits into one block goes in one request; a multipart upload would take three.

    :param path: where it will lie
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self._path = path
        self._held = bytearray()
        self._upload = None if path.protocol in _WHOLE_BY_REQUEST else self._open()

    def write(self, data: bytes) -> int:
        """Take the next piece, and return its length."""
        if self._upload is None:
            self._held += data
            if len(self._held) > BLOCK:
                self._upload = self._open()
                self._upload.write(self._held)
                self._held = bytearray()
        else:
            self._upload.write(data)
        return len(data)

    def commit(self) -> None:
        """Let the object appear."""
        if self._upload is None:
            self._path.fs.pipe_file(self._path.path, bytes(self._held))
        else:
            self._upload.close()
            self._upload.commit()

    def discard(self) -> None:
        """Let nothing appear."""
        if self._upload is not None:
            with suppress(Exception):  # What went wrong before is what matters.
                self._upload.discard()
            # Else adlfs, which can't discard, would commit what is there when the file is garbage.
            with suppress(AttributeError):
                self._upload.closed = True

    def _open(self) -> Any:
        # Not the file of the path's own open(), which can't be marked as closed.
        return self._path.fs.open(self._path.path, "wb", block_size=BLOCK, autocommit=False)


#: The protocols of files on this machine.
LOCAL = ("file", "local", "")
# What the stores' drivers call a version, the most telling first.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_settings", "mtime", "LastModified", "updated")


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


def open_for_reading(path: ObjectStoragePath) -> BinaryIO:
    """
    Open a file for reading.

    :raises OSError: if it can't be read
    """
    try:
        # gcsfs's own cache reads up to 256 MiB ahead.
        return cast("BinaryIO", path.open("rb", block_size=BLOCK, cache_type="readahead"))
    except OSError:
        raise
    except Exception as error:  # The stores' drivers raise errors of their own kinds.
        raise OSError(explain(error)) from error


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


def read_whole(path: ObjectStoragePath) -> bytes:
    """
    Read a small file.

    :raises OSError: if it can't be read, :class:`FileNotFoundError` if it does not exist
    """
    # Not an open file of the driver's, which remembers how long the file was when it was listed.
    return bytes(path.fs.cat_file(path.path))


def write_whole(path: ObjectStoragePath, content: bytes) -> None:
    """Write a small file so that nobody ever reads half of it."""
    with writing(path) as file:
        file.write(content)


def writing(path: ObjectStoragePath) -> AbstractContextManager[BinaryIO]:
    """Open a file for writing so that it appears whole, when the context ends well, or not at all."""
    return _writing_local(path) if path.protocol in LOCAL else _writing_object(path)


@contextmanager
def _writing_object(path: ObjectStoragePath) -> Iterator[BinaryIO]:
    file = ObjectFile(path)
    try:
        yield cast("BinaryIO", file)
        file.commit()
    except BaseException:
        file.discard()
        raise


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
