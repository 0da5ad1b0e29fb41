"""Files in object stores: read in small blocks, and written so that they appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, urlsplit

from airflow_provider_docconv.services.errors import (
    DestinationUnwritable,
    DocConvError,
    Handling,
    StoreUnavailable,
    explain,
)

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import ObjectStoragePath

# The web pages of their objects, as their consoles show them in the browser's address bar.
_S3 = {
    "file": "https://console.aws.amazon.com/s3/object/{bucket}?prefix={key}",
    "folder": "https://console.aws.amazon.com/s3/buckets/{bucket}?prefix={key}",
}
_GCS = {
    "file": "https://console.cloud.google.com/storage/browser/_details/{bucket}/{key}",
    "folder": "https://console.cloud.google.com/storage/browser/{bucket}/{key}",
}
_CONSOLES = {"s3": _S3, "s3a": _S3, "gs": _GCS, "gcs": _GCS}
# fsspec's default blocks take 50 MiB and more of memory. Measured: these take 34 MiB and are as fast.
BLOCK = 8 << 20
_LINES_HELD = 64 << 10
# In these stores an object that is sent in one request appears once all of it has arrived.
_ATOMIC_REQUESTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
#: The protocols of files on this machine.
LOCAL = ("file", "local", "")
# The drivers' names for a version, the most reliable first.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_settings", "mtime", "LastModified", "updated")
# Errors that a person must fix; all others may be temporary. The drivers' own types are known by their names only.
_LASTING = (
    FileExistsError,
    FileNotFoundError,
    ImportError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
    TypeError,
    ValueError,
)
# Those of them that are about one name.
_NAME_ERRORS = (FileExistsError, IsADirectoryError, NotADirectoryError)
_LASTING_NAMES = frozenset(
    {
        "AirflowNotFoundException",
        "ClientAuthenticationError",
        "DefaultCredentialsError",
        "NoCredentialsError",
        "ParamValidationError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSLCertVerificationError",
    }
)
_LASTING_ERRNO = frozenset(
    {errno.EDQUOT, errno.EINVAL, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC, errno.ENOSYS, errno.EPERM, errno.EROFS}
)
# The temporary statuses below 500: with 401, credentials have expired; with 407, a proxy stands between.
_TEMPORARY_STATUSES = frozenset({401, 407, 408, 425, 429})
# S3's codes for expired credentials and skewed clocks, which come with 400 and 403.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestTimeTooSkewed", "TokenRefreshRequired"})
# What Azure and Google say of the same with 403 and 409, and gcsfs of any reply that has the word "invalid" in it.
_PASSING = re.compile(
    r"Signature not valid in the specified time frame|Request date header too old|ContainerBeingDeleted|"
    r"rateLimitExceeded|userRateLimitExceeded|^Bad Request: "
)
# Airflow's words if a store's provider is not installed, and the package's extra that installs it.
_NO_DRIVER = re.compile(r"No filesystem registered for scheme (\w+)")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "adl": "azure"}
# A reply that is not the store's: a proxy's or a login page.
_UNREADABLE = frozenset({"JSONDecodeError", "DecodeError", "ContentTypeError", "ResponseParserError"})


class ObjectFile:
    """
    An object that is being written.

    One block or less goes in one request, where a multipart upload would take three.

    :param path: its address
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self._path = path
        self._held = bytearray()
        self._upload = None if path.protocol in _ATOMIC_REQUESTS else self._open()

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
        """Make the object appear."""
        if self._upload is None:
            self._path.fs.pipe_file(self._path.path, bytes(self._held))
        else:
            self._upload.close()
            self._upload.commit()

    def discard(self) -> None:
        """Drop the object, so that nothing appears."""
        if self._upload is not None:
            with suppress(Exception):  # The error that led here matters more.
                self._upload.discard()
            # adlfs can't discard, and would commit what is there when the file is garbage-collected.
            with suppress(AttributeError):
                self._upload.closed = True

    def _open(self) -> Any:
        # Not the path's own open(), whose file can't be marked as closed.
        return self._path.fs.open(self._path.path, "wb", block_size=BLOCK, autocommit=False)


def version_of(info: Mapping[str, Any]) -> str:
    """Return what distinguishes a file's content from an earlier one, as far as its store's listing shows."""
    # Some drivers keep the header's quotes in one place and drop them in another.
    return next((str(info[key]).removeprefix("W/").strip('"') for key in _VERSIONS if info.get(key)), "")


def to_path(uri: str) -> ObjectStoragePath:
    """Return the path of an address."""
    from airflow_provider_docconv.compat import ObjectStoragePath

    return ObjectStoragePath(uri)


def delete(path: ObjectStoragePath) -> None:
    """
    Delete a file, if it exists.

    :param path: the file
    """
    # Not by unlink(): drivers take a name such as "a[1].pdf" for a pattern, and delete "a1.pdf" as well.
    fs: Any = path.fs
    with suppress(FileNotFoundError):
        try:
            fs.rm_file(path.path)
        except NotImplementedError:  # adlfs before 2025
            fs.rm(path.path, expand_path=False)


def console_url(uri: str) -> str:
    """
    Return the page of a file, or of a folder (ending with ``/``), in the console of Amazon S3 or Google Cloud Storage.

    :param uri: the address
    :return: the page, empty if it has none: another store, or another server that speaks its protocol
    """
    scheme, _, rest = uri.partition("://")
    console = _CONSOLES.get(scheme)
    if console is None:
        return ""
    bucket, _, key = rest.rpartition("@")[2].partition("/")
    try:
        fs: Any = to_path(uri).fs
        options = getattr(fs, "client_kwargs", None) or {}
        if getattr(fs, "endpoint_url", None) or options.get("endpoint_url") or getattr(fs, "_endpoint", None):
            return ""
    except Exception:  # Whatever the driver raises: a link is not worth a task.
        return ""
    page = console["folder" if uri.endswith("/") else "file"]
    return page.format(bucket=quote(bucket, safe=""), key=quote(key))


def forget_store(uri: str) -> None:
    """Make the next use of an address open a new connection to its store; Airflow would keep the old one."""
    from airflow_provider_docconv.compat import ObjectStoragePath

    # Airflow has moved this function twice, always together with the class.
    attach = import_module(ObjectStoragePath.__module__).attach
    address = urlsplit(uri)
    with suppress(AttributeError):
        del attach(address.scheme or "file", address.netloc.rpartition("@")[0] or None).fs


def distinguishes_names(folder: str) -> bool:
    """
    Tell whether a folder's store takes names for different ones that differ in letter case or the form of an accent.

    :param folder: the folder, which is made and written to if only that can show it
    """
    path = to_path(folder)
    if path.protocol not in LOCAL:
        return path.protocol in _ATOMIC_REQUESTS
    name = f".docconv-{secrets.token_hex(8)}-\u00e4.part"
    probe = os.path.join(path.path, name)
    try:
        _make_folders(path.path)
        with open(probe, "xb"):
            others = (name.upper(), unicodedata.normalize("NFD", name))
            return not any(os.path.exists(os.path.join(path.path, other)) for other in others)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            os.unlink(probe)


def open_for_reading(path: ObjectStoragePath) -> BinaryIO:
    """Open a file for reading; raises what its store's driver raises."""
    # gcsfs's own cache reads up to 256 MiB ahead.
    return cast("BinaryIO", path.open("rb", block_size=BLOCK, cache_type="readahead"))


def write_lines(file: BinaryIO, lines: Iterable[bytes]) -> None:
    """
    Write lines, many at a time: a write to a store's file costs more than a line.

    :param file: the file to write to
    :param lines: the lines, without their ends
    """
    held: list[bytes] = []
    size = 0
    for line in lines:
        held += (line, b"\n")
        size += len(line)
        if size >= _LINES_HELD:
            file.write(b"".join(held))
            held.clear()
            size = 0
    if held:
        file.write(b"".join(held))


@contextmanager
def store_errors(what: str, lasting: type[DocConvError] = DestinationUnwritable) -> Iterator[None]:
    """
    Raise the errors of a store's driver as ours.

    :param what: what can't be done, as a clause
    :param lasting: the type of errors that a person must fix
    :raises StoreUnavailable: if the store may answer later, with that clause and the driver's message
    :raises DocConvError: of the type ``lasting`` otherwise
    """
    try:
        yield
    except DocConvError:
        raise
    except Exception as error:  # Each driver raises its own types.
        raise store_error(error, what, lasting) from error


def store_error(error: Exception, what: str, lasting: type[DocConvError]) -> DocConvError:
    """
    Return the error of a store's driver as one of ours; see :func:`store_errors`.

    :param error: the driver's error
    :param what: what can't be done, as a clause
    :param lasting: the type of errors that a person must fix
    """
    kind = StoreUnavailable if _is_temporary(error) else lasting
    scheme = _NO_DRIVER.search(str(error))
    remedy = None
    raised_by_name = any(
        isinstance(each, _NAME_ERRORS) or getattr(each, "errno", None) == errno.ENAMETOOLONG for each in _chain(error)
    )
    if scheme and (extra := _EXTRAS.get(scheme[1])):
        remedy = f"install the store's driver: pip install 'airflow-provider-docconv[{extra}]'"
    raised = kind(f"{what} ({explain(error)})", remedy=remedy)
    if raised_by_name and raised.handling is Handling.STOP:
        # Something else has that name, or it is too long: others can be written.
        raised.handling = Handling.REJECT
    return raised


def _is_temporary(error: BaseException) -> bool:
    chain = list(_chain(error))
    if any(type(each).__name__ in _UNREADABLE or _PASSING.search(str(each)) for each in chain):
        return True
    for each in chain:
        response = getattr(each, "response", None)
        if isinstance(response, Mapping):  # botocore's
            if response.get("Error", {}).get("Code") in _EXPIRED:
                return True
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            # azure-core's and aiohttp's, gcsfs's, and requests'.
            found = (getattr(each, name, None) for name in ("status_code", "status", "code"))
            status = next((value for value in found if value), getattr(response, "status_code", None))
        if str(status).isdecimal():
            return int(str(status)) >= 500 or int(str(status)) in _TEMPORARY_STATUSES
    # gcsfs tells of a 403 in its text only.
    return not any(
        isinstance(each, _LASTING)
        or type(each).__name__ in _LASTING_NAMES
        or (isinstance(each, OSError) and (each.errno in _LASTING_ERRNO or str(each).startswith("Forbidden")))
        for each in chain
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Return an error and those that led to it, the outermost first."""
    inner: BaseException | None = error
    for _ in range(10):
        if inner is None:
            return
        yield inner
        inner = inner.__cause__ or (None if inner.__suppress_context__ else inner.__context__)


def read_whole(path: ObjectStoragePath) -> bytes:
    """
    Read a small file.

    :raises OSError: if it can't be read, :class:`FileNotFoundError` if it does not exist
    """
    # Not an open file of the driver's, which remembers how long the file was when it was listed.
    return bytes(path.fs.cat_file(path.path))


def write_whole(path: ObjectStoragePath, content: bytes) -> None:
    """Write a small file so that it appears whole or not at all."""
    with writing(path) as file:
        file.write(content)


def writing(path: ObjectStoragePath) -> AbstractContextManager[BinaryIO]:
    """Open a file for writing that appears whole when the context ends, or not at all if it raises."""
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


def _make_folders(folder: str) -> None:
    # Not os.makedirs(), which nests as deep as the folders do.
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for each in reversed(missing):
        with suppress(FileExistsError):  # Another thread was quicker, or the next step says what is in the way.
            os.mkdir(each)


@contextmanager
def _writing_local(path: ObjectStoragePath) -> Iterator[BinaryIO]:
    # Not fsspec's autocommit=False, which copies from the temporary folder, so that a growing file shows.
    _make_folders(path.parent.path)
    part = path.with_name(f".docconv-{secrets.token_hex(8)}.part")
    try:
        with part.open("wb") as file:
            yield cast("BinaryIO", file)
        # Not the path's own replace(), which would move the file into a folder of that name.
        os.replace(part.path, path.path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
