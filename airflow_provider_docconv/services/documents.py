"""Source documents, as the services see them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from airflow_provider_docconv.services.errors import DocConvError, SourceNotFound, explain

# A multiple of three, so that base64 leaves no remainder to copy.
_CHUNK = 3 << 18


@dataclass(slots=True)
class Document:
    """
    A document that is sent with the request.

    :param name: its file name, without folders
    :param opener: opens it for reading from its beginning, any number of times
    :param size: its length in bytes, or None if unknown
    :param version: distinguishes its content from an earlier one, as far as its store knows
    :param key: names its folder in the vendor's storage, if it has to be uploaded there; safe in a path
    :param translate: makes one of our errors of what its store raises
    :param reader: returns the bytes between two offsets, at less cost than opening it
    :ivar sha256: the SHA-256, in hexadecimal, of what :meth:`chunks` has read, None if it has not read all of it
    """

    name: str
    opener: Callable[[], BinaryIO] = field(repr=False)
    size: int | None
    version: str = ""
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    reader: Callable[[int, int], bytes] | None = field(default=None, repr=False)
    translate: Callable[[Exception], DocConvError] | None = field(default=None, repr=False)
    sha256: str | None = field(default=None, init=False)

    def chunks(self) -> Iterator[bytes]:
        """
        Read the document piece by piece.

        :raises SourceNotFound: if it can't be read, or its length has changed
        """
        read, digest = 0, hashlib.sha256()
        self.sha256 = None
        try:
            with self.opener() as file:
                while chunk := file.read(_CHUNK):
                    read += len(chunk)
                    if self.size is not None and read > self.size:
                        break  # The service must not take the announced length for all of it.
                    digest.update(chunk)
                    yield chunk
        except Exception as error:  # Each driver raises its own types.
            # HTTP clients would take an OSError for a broken connection, and send the request again.
            raise self._unreadable(error) from error
        if self.size is not None and read != self.size:
            raise SourceNotFound(
                f"the source changed while it was read (expected {self.size} bytes, got {read})",
                document=self.name,
                remedy="run the task again once the source is complete",
            )
        self.sha256 = digest.hexdigest()

    def read_at(self, offset: int, length: int) -> bytes:
        """
        Return some of its bytes.

        :raises SourceNotFound: if it can't be read
        """
        try:
            if self.reader and self.size is not None:
                end = min(offset + length, self.size)
                # Stores refuse a range that starts at the end.
                return self.reader(offset, end) if offset < end else b""
            with self.opener() as file:
                file.seek(offset)
                return file.read(length)
        except Exception as error:  # Each driver raises its own types.
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DocConvError:
        if self.translate:
            return self.translate(error)
        return SourceNotFound(f"the source can't be read ({explain(error)})", document=self.name)


@dataclass(frozen=True, slots=True)
class RemoteDocument:
    """
    A document in the vendor's storage.

    :param path: its path there, without a leading slash
    :param storage: the storage's name, or None for the account's default storage
    :param key: names the folder of its results in the vendor's storage; safe in a path
    """

    path: str
    storage: str | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(8), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The file name, without folders."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def version(self) -> str:
        """Empty: the vendor's storage is not asked for it."""
        return ""

    @property
    def folder(self) -> str:
        """The folder, empty for the root of the storage."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class PresentationToMerge:
    """
    A presentation to merge.

    :param document: the presentation
    :param slides: the numbers of the slides to take, from 1; empty for all
    :param password: opens the presentation
    """

    document: Document | RemoteDocument
    slides: Sequence[int] = ()
    password: str | None = field(default=None, repr=False)
