"""Object stores: anything that ``ObjectStoragePath`` reaches, read and written so that nothing half-done is seen."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from airflow_provider_docconv.client.failures import explain
from airflow_provider_docconv.object_file import BLOCK, ObjectFile
from airflow_provider_docconv.services.errors import DestinationUnwritable, DocConvError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

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


def write_whole(path: ObjectStoragePath, content: bytes) -> None:
    """Write a small file so that nobody ever reads half of it."""
    with writing(path) as file:
        file.write(content)


def writing(path: ObjectStoragePath) -> AbstractContextManager[BinaryIO]:
    """Open a file for writing so that it appears whole, when the context ends well, or not at all."""
    return _writing_local(path) if path.protocol in ("file", "local", "") else _writing_object(path)


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
