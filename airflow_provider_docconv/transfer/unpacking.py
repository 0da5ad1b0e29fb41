"""Unpacks a ZIP of single pages into the destination folder."""

from __future__ import annotations

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from airflow_provider_docconv.services.errors import InvalidOptions, ResultRejected
from airflow_provider_docconv.services.filetypes import Inspection, extension, fits_result, looks_like
from airflow_provider_docconv.transfer.addresses import folded, require_addressable, safe_name
from airflow_provider_docconv.transfer.delivery import DeliveredFile, Destination, peek
from airflow_provider_docconv.transfer.object_storage import store_errors, to_path, writing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

#: The most files that are unpacked.
MAX_FILES = 10_000
#: The most bytes that they may have together.
MAX_BYTES = 16 << 30
#: How many times as large as the archive they may be together, if that is more than 100 MiB.
MAX_RATIO = 200
_NO_BOMB = 100 << 20
# Of the archive's directory; an entry of one with a usual name takes less than 200 bytes.
_MAX_DIRECTORY = 8 << 20
_CHUNK = 1 << 20
_REMEDY = "nothing was stored; with unpack=False the archive is stored as it is"
# zipfile bounds the memory of these two only.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class UnpackingDestination(Destination):
    """
    A folder where a ZIP of single pages becomes its files; any other result is stored as it is.

    The archive lies in a temporary file of this machine meanwhile: its directory, which says what is in it, is at its
    end. Everything in it is checked before the first file is written. All files appear, or, if the store fails midway,
    those that have appeared are deleted.

    :param uri: a folder, which ends with ``/``
    :param service: the service's name, for messages
    :param stem: names a result that is no such archive; if None, the service's own name does
    :raises InvalidOptions: if it is no folder
    """

    def __init__(self, uri: str | ObjectStoragePath, service: str, stem: str | None) -> None:
        super().__init__(uri, service, stem)
        if not self._uri.endswith("/"):
            raise InvalidOptions(f"unpack=True needs a folder, but {uri} is a file", remedy="end destination with /")

    def store(self, chunks: Iterator[bytes], offered_name: str | None, number: int | None) -> list[DeliveredFile]:
        """
        Write a result, or the files in it.

        :param chunks: its bytes
        :param offered_name: what the service calls it; hostile
        :param number: its number from 1 if there are several; their pages go to folders of that name
        :raises ResultRejected: if the archive or a file in it is unsafe, or not what its name says
        :raises TruncatedResult: if the archive or a file in it has no end
        :raises DestinationUnwritable: if they can't be written
        """
        head, chunks = peek(chunks)
        uri = self._file_uri(offered_name, number, head)
        if not uri.endswith(".zip"):
            return super().store(chunks, offered_name, number)
        folder = uri.rpartition("/")[0] + (f"/{number}" if number else "")
        with tempfile.TemporaryFile() as file:
            size = _receive(chunks, file, self._service)
            with _opened(file, self._service) as archive:
                members = _members(archive, size, self._service)
                stored = [_checked(archive, member, folder, self._service) for member in members]
                with store_errors(self._unwritable(f"{folder}/")):
                    _write(archive, members, [to_path(each["uri"]) for each in stored])
        return stored


def _receive(chunks: Iterator[bytes], file: IO[bytes], service: str) -> int:
    inspection = Inspection(f"the result from {service}")
    for chunk in chunks:
        file.write(chunk)
        inspection.feed(chunk)
    inspection.require_whole()
    return inspection.size


@contextmanager
def _opened(file: IO[bytes], service: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(_Careful(file)) as archive:
            yield archive
    except ResultRejected as error:
        error.remedy = _REMEDY
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
        raise ResultRejected(f"the archive from {service} is damaged ({error})", remedy=_REMEDY) from error


class _Careful:
    """A file that is never read in one large piece: zipfile so reads the directory, as long as that says it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        # The error of the system could as well be one of the disk.
        if whence == 0 and offset < 0:
            raise ValueError("a file lies before its beginning")
        return self._file.seek(offset, whence)

    def read(self, length: int = -1) -> bytes:
        # Without a length it reads from the archive's end record on, or from where that would be at the earliest.
        data = self._file.read(min(length, _MAX_DIRECTORY + 1) if length >= 0 else _MAX_DIRECTORY + 1)
        if len(data) > _MAX_DIRECTORY:
            raise ValueError("its directory is too long")
        return data


def _members(archive: zipfile.ZipFile, size: int, service: str) -> list[zipfile.ZipInfo]:
    """Return the files in an archive if all of them can be unpacked."""
    # Some versions of is_dir() don't expect a file without a name.
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    total = sum(member.file_size for member in members)
    if not members:
        raise ResultRejected(f"the archive from {service} is empty")
    if len(members) > MAX_FILES or total > MAX_BYTES:
        raise ResultRejected(f"the archive from {service} has {len(members)} files of {total} bytes, which is too much")
    if total > max(_NO_BOMB, size * MAX_RATIO):
        raise ResultRejected(f"the archive from {service} would grow from {size} to {total} bytes")
    names: dict[str, str] = {}
    for member in members:
        _require_plain(member, service)
        # Many file systems take names for the same that differ in case or in how an accent is written.
        same = folded(member.filename)
        if same in names:
            raise ResultRejected(f"the archive from {service} has both {names[same]!r} and {member.filename!r}")
        names[same] = member.filename
    for name in names:
        parts = name.split("/")
        if clash := next((names[up] for n in range(1, len(parts)) if (up := "/".join(parts[:n])) in names), None):
            raise ResultRejected(f"the archive from {service} has {clash!r} as a file and as a folder")
    return members


def _require_plain(member: zipfile.ZipInfo, service: str) -> None:
    # zipfile ends a name at a zero byte.
    for part in member.orig_filename.split("/"):
        safe_name(part, service)
    if member.flag_bits & 1:
        raise ResultRejected(f"{member.filename!r} in the archive from {service} is encrypted")
    if member.compress_type not in _METHODS:
        raise ResultRejected(f"{member.filename!r} in the archive from {service} is compressed in an unusual way")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ResultRejected(f"{member.filename!r} in the archive from {service} is no plain file")


def _checked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: str, service: str) -> DeliveredFile:
    """Read a file in the archive to its end, which compares its checksum, and return what it will be stored as."""
    what = f"{member.filename!r} in the archive from {service}"
    inspection = Inspection(what)
    head, chunks = peek(_read(archive, member))
    end = extension(member.filename)
    if not fits_result(end, head):
        raise ResultRejected(f"{what} is no .{end} file ({looks_like(head)})")
    for chunk in chunks:
        inspection.feed(chunk)
    inspection.require_whole()
    uri = f"{folder}/{member.filename}"
    require_addressable(uri)
    return {"uri": uri, "size": inspection.size, "sha256": inspection.sha256}


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _write(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], paths: list[ObjectStoragePath]) -> None:
    written: list[ObjectStoragePath] = []
    try:
        for member, path in zip(members, paths, strict=True):
            with writing(path) as file:
                for chunk in _read(archive, member):
                    file.write(chunk)
            written.append(path)
    except BaseException:
        for path in written:
            with suppress(Exception):  # What went wrong before is what matters.
                path.unlink(missing_ok=True)
        raise
