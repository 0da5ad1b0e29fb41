"""Request bodies that stream: each can be produced again, and knows its length where the document's is known."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

import pybase64

from airflow_provider_docconv.services.documents import Document

_LINE_END = b"\r\n"
# What is encoded at once, a multiple of three; measured: more leaves the processor's cache and takes longer.
_SLICE = 3 << 16


class Body(Protocol):
    """A request's body."""

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""

    @property
    def length(self) -> int | None:
        """The number of bytes, or None if unknown before it is sent."""

    def chunks(self) -> Iterator[bytes]:
        """Produce the body from its beginning; every call starts anew."""


@dataclass(frozen=True, slots=True)
class BytesBody:
    """A small body held in memory."""

    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"

    @property
    def length(self) -> int:
        """The number of bytes."""
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        """Produce the body in one piece."""
        yield self.content


def json_body(value: object) -> BytesBody:
    """Build a JSON body."""
    return BytesBody(json.dumps(value).encode(), "application/json")


def form_body(fields: Mapping[str, str]) -> BytesBody:
    """Build a form body, as the token endpoints take it."""
    return BytesBody(urlencode(fields).encode(), "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class FilePart:
    """
    A document as a part of a form.

    :param document: the document
    :param name: the part's name
    :param file_name: the file name that the service sees
    """

    document: Document
    name: str
    file_name: str


@dataclass(frozen=True, slots=True)
class MultipartBody:
    """
    A multipart form: JSON parts without a file name, then the documents.

    :param files: the documents
    :param json_parts: values sent before the files; the services tell them from files by the missing file name
    """

    files: Sequence[FilePart]
    json_parts: Mapping[str, object] = field(default_factory=dict)
    # Random, so that no document can carry it by design.
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def content_type(self) -> str:
        """The Content-Type with the boundary."""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def length(self) -> int | None:
        """The number of bytes, if all documents' are known."""
        length = len(self._values()) + len(self._end())
        for file in self.files:
            if file.document.size is None:
                return None
            length += len(self._head(file)) + file.document.size + len(_LINE_END)
        return length

    def chunks(self) -> Iterator[bytes]:
        """Produce the form, with the documents read as it goes."""
        yield self._values()
        for file in self.files:
            yield self._head(file)
            yield from file.document.chunks()
            yield _LINE_END
        yield self._end()

    def _values(self) -> bytes:
        return "".join(
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
            f"Content-Type: text/json\r\n\r\n{json.dumps(value)}\r\n"
            for name, value in self.json_parts.items()
        ).encode()

    def _head(self, file: FilePart) -> bytes:
        # Escaped as HTML's multipart/form-data encoding says: a quote or a line break would end the header.
        safe_name = file.file_name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        return (
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{file.name}"; filename="{safe_name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()

    def _end(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode()


@dataclass(frozen=True, slots=True)
class Base64Body:
    """
    A JSON object whose first field is the document as one base64 string, encoded while it is sent.

    :param document: the document
    :param key: the name of the document's field
    :param rest: the other fields
    """

    document: Document
    key: str
    rest: Mapping[str, object]
    content_type: str = "application/json"

    @property
    def length(self) -> int | None:
        """The number of bytes, if the document's is known."""
        if self.document.size is None:
            return None
        return len(self._head()) + -(-self.document.size // 3) * 4 + len(self._tail())

    def chunks(self) -> Iterator[bytes]:
        """Produce the object, with the document read and encoded as it goes."""
        yield self._head()
        left = b""
        for chunk in self.document.chunks():
            data = left + chunk
            whole = len(data) - len(data) % 3
            left = data[whole:]
            for at in range(0, whole, _SLICE):
                yield pybase64.b64encode(data[at : min(at + _SLICE, whole)])
        yield pybase64.b64encode(left)
        yield self._tail()

    def _head(self) -> bytes:
        return f'{{{json.dumps(self.key)}: "'.encode()

    def _tail(self) -> bytes:
        fields = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in self.rest.items())
        return f'"{fields}}}'.encode()
