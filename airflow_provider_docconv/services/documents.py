"""A source document, as the services see it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from airflow_provider_docconv.services.errors import SourceNotFound

# A multiple of three: base64 then needs no copy of what is left over.
_CHUNK = 3 << 18


@dataclass(slots=True)
class Document:
    """
    A document that is sent with the request.

    :param name: its file name, without folders
    :param opener: opens it for reading from its beginning, as often as it is called
    :param size: its length in bytes, or None if unknown
    :param version: tells this content from an earlier one, as far as its store knows without reading it
    :param key: a name, safe in a path, under which it may lie in the vendor's storage meanwhile
    :param reader: returns its bytes from one offset to another, at less cost than opening it
    :ivar sha256: the SHA-256, in hexadecimal, of what :meth:`chunks` has read last, None if that was not the whole
    """

    name: str
    opener: Callable[[], BinaryIO] = field(repr=False)
    size: int | None
    version: str = ""
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    reader: Callable[[int, int], bytes] | None = field(default=None, repr=False)
    sha256: str | None = field(default=None, init=False)

    def chunks(self) -> Iterator[bytes]:
        """
        Read the document piece by piece.

        :raises SourceNotFound: if it can't be read, or is not as long as it was
        """
        read, digest = 0, hashlib.sha256()
        self.sha256 = None
        try:
            with self.opener() as file:
                while chunk := file.read(_CHUNK):
                    read += len(chunk)
                    if self.size is not None and read > self.size:
                        break  # The announced length is sent: the service must not take it for the whole.
                    digest.update(chunk)
                    yield chunk
        except Exception as error:  # The stores' drivers raise errors of their own kinds.
            # Transports take an OSError out of a body for a broken connection, and would send it again.
            raise SourceNotFound(f"the source can't be read ({error})", document=self.name) from error
        if self.size is not None and read != self.size:
            raise SourceNotFound(
                f"the source changed while it was read ({self.size} bytes were announced, but not {read})",
                document=self.name,
                remedy="run the task again when nobody writes to the source",
            )
        self.sha256 = digest.hexdigest()

    def read_at(self, offset: int, length: int) -> bytes:
        """
        Return some of its bytes.

        :raises SourceNotFound: if the document can't be read
        """
        try:
            if self.reader and self.size is not None:
                end = min(offset + length, self.size)
                # Stores refuse a range that begins at the end.
                return self.reader(offset, end) if offset < end else b""
            with self.opener() as file:
                file.seek(offset)
                return file.read(length)
        except Exception as error:  # As above.
            raise SourceNotFound(f"the source can't be read ({error})", document=self.name) from error


@dataclass(frozen=True, slots=True)
class RemoteDocument:
    """
    A document that lies in the vendor's storage already.

    :param path: its path there, without a leading slash
    :param storage: the storage's name, or None for the account's default one
    :param key: as a document's, for what is made of it
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
        """Nothing: the vendor's storage is not asked."""
        return ""

    @property
    def folder(self) -> str:
        """The folder, empty for the storage's top."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class PresentationToMerge:
    """
    What a merge takes of a document; the name is the vendor's.

    :param document: the document
    :param slides: the numbers of the slides to take, from 1; empty for all
    :param password: opens the document
    """

    document: Document | RemoteDocument
    slides: Sequence[int] = ()
    password: str | None = field(default=None, repr=False)
