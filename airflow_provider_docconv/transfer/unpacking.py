"""Unpacks a ZIP of single pages into the destination folder, after checking all of it."""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from airflow_provider_docconv.services.errors import ResultRejected
from airflow_provider_docconv.services.filetypes import Inspection, extension, fits_result, looks_like
from airflow_provider_docconv.transfer.addresses import MAX_NAME, folded, is_safe, require_addressable
from airflow_provider_docconv.transfer.delivery import DeliveredFile, Destination, split_head
from airflow_provider_docconv.transfer.object_storage import delete, store_errors, to_path, writing

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import ObjectStoragePath

#: The largest number of files to unpack.
MAX_FILES = 10_000
#: Their largest total size in bytes.
MAX_BYTES = 16 << 30
#: The most times that they may be larger than the archive, once they have more than ``_ALWAYS_ALLOWED`` bytes.
MAX_RATIO = 200
_ALWAYS_ALLOWED = 100 << 20
# Of the archive's directory: an entry with a usual name takes less than 200 bytes.
_MAX_DIRECTORY = 8 << 20
_CHUNK = 1 << 20
_REMEDY = "nothing was written; with unpack=False the archive is delivered as it is"
# What Windows and its shares take for devices, whatever follows a dot, and what they can't have in a name.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
# zipfile limits the memory of these two only.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class UnpackingDestination(Destination):
    """
    Unpacks a ZIP of single pages into a folder of its own, named like the result would be; delivers others as they are.

    So the pages of ``deck.pptx`` are in ``deck/``, and never replace those of another document. The archive is kept in
    a temporary file meanwhile, because its directory is at its end. All of it is checked before the first file is
    written. If the store fails midway, the files that were written are deleted again.
    """

    def write(self, chunks: Iterator[bytes], offered_name: str | None, number: int | None) -> list[DeliveredFile]:
        """
        Write a result, or the files in it.

        :param chunks: its bytes
        :param offered_name: what the service calls it; hostile
        :param number: its number from 1 if there are several; their pages go to folders of that name
        :raises ResultRejected: if the archive or a file in it is unsafe, or not what its name says
        :raises TruncatedResult: if the end of the archive or of a file in it is missing
        :raises DestinationUnwritable: if they can't be written
        """
        head, chunks = split_head(chunks)
        uri = self._file_uri(offered_name, None, head)
        if not uri.endswith(".zip"):
            return super().write(chunks, offered_name, number)
        parent, _, name = uri.removesuffix(".zip").rpartition("/")
        if extension(self._uri) != "zip" and not self._uri.endswith("/"):
            name = PurePosixPath(name).stem  # A result's own name, to which .zip was added.
        folder = f"{parent}/{name}" + (f"/{number}" if number else "")
        with tempfile.TemporaryFile() as file:
            size = _receive(chunks, file, self._service)
            with _opened(file, self._service) as archive:
                members = _members(archive, size, self._service)
                files = [_checked(archive, member, folder, self._service) for member in members]
                with store_errors(self._unwritable(f"{folder}/")):
                    _write(archive, members, [to_path(each["uri"]) for each in files])
        return files


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
        with zipfile.ZipFile(_BoundedReads(file)) as archive:
            yield archive
    except ResultRejected as error:
        error.remedy = _REMEDY
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
        raise ResultRejected(f"the archive from {service} is damaged ({error})", remedy=_REMEDY) from error


class _BoundedReads:
    """A file whose reads are bounded: zipfile reads the directory at once, however long the archive says it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        # The system's OSError could be taken for one of the disk.
        if whence == 0 and offset < 0:
            raise ValueError("a file begins before the archive does")
        return self._file.seek(offset, whence)

    def read(self, length: int = -1) -> bytes:
        # Without a length zipfile reads the last bytes, in search of the end record.
        data = self._file.read(min(length, _MAX_DIRECTORY + 1) if length >= 0 else _MAX_DIRECTORY + 1)
        if len(data) > _MAX_DIRECTORY:
            raise ValueError("its directory is too large")
        return data


def _members(archive: zipfile.ZipFile, size: int, service: str) -> list[zipfile.ZipInfo]:
    """Return the files in an archive, if all of them can be unpacked."""
    # Not is_dir(), which fails on an empty name in some versions of Python.
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    total = sum(member.file_size for member in members)
    if not members:
        raise ResultRejected(f"the archive from {service} is empty")
    if len(members) > MAX_FILES or total > MAX_BYTES:
        raise ResultRejected(f"the archive from {service} is too large: {len(members)} files with {total} bytes")
    if total > max(_ALWAYS_ALLOWED, size * MAX_RATIO):
        raise ResultRejected(
            f"the archive from {service} looks like a bomb: it would grow from {size} to {total} bytes"
        )
    names: dict[str, str] = {}
    for member in members:
        _require_plain(member, service)
        # Many file systems treat names as equal that differ in case or in how an accent is encoded.
        same = folded(member.filename)
        if same in names:
            raise ResultRejected(
                f"the archive from {service} has two files of one name, {names[same]!r} and {member.filename!r}"
            )
        names[same] = member.filename
    for name in names:
        parts = name.split("/")
        if clash := next((names[up] for n in range(1, len(parts)) if (up := "/".join(parts[:n])) in names), None):
            raise ResultRejected(f"the archive from {service} has {clash!r} both as a file and as a folder")
    return members


def _require_plain(member: zipfile.ZipInfo, service: str) -> None:
    # Not filename, which ends at a zero byte.
    if not all(map(is_safe, member.orig_filename.split("/"))):
        raise ResultRejected(f"the archive from {service} has an unsafe file name {member.orig_filename[:MAX_NAME]!r}")
    if not all(map(_is_portable, member.filename.split("/"))):
        raise ResultRejected(
            f"the archive from {service} has a hidden or reserved file name {member.filename[:MAX_NAME]!r}"
        )
    if member.flag_bits & 1:
        raise ResultRejected(f"{member.filename!r} in the archive from {service} is encrypted")
    if member.compress_type not in _METHODS:
        raise ResultRejected(f"{member.filename!r} in the archive from {service} has an unsupported compression method")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ResultRejected(f"{member.filename!r} in the archive from {service} is not a regular file")


def _is_portable(name: str) -> bool:
    """Tell whether a name hides nothing, is none of ours, and means the same on Windows and its shares."""
    return not (name.startswith(".") or name.endswith((".", " ")) or _RESERVED.match(name) or _FORBIDDEN.search(name))


def _checked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: str, service: str) -> DeliveredFile:
    """Read a file in the archive to its end, which verifies its checksum, and return how it will be delivered."""
    what = f"{member.filename!r} in the archive from {service}"
    inspection = Inspection(what)
    head, chunks = split_head(_read(archive, member))
    end = extension(member.filename)
    if not fits_result(end, head):
        raise ResultRejected(f"{what} is not a .{end} file ({looks_like(head)})")
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
            with suppress(Exception):  # The error that led here matters more.
                delete(path)
        raise
