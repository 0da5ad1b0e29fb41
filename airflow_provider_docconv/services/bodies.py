"""Request bodies that stream, and base64 inside JSON, in both directions."""

from __future__ import annotations

import json
import re
import secrets
from abc import ABC, abstractmethod
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import pybase64

from airflow_provider_docconv.services.documents import Document

_LINE_END = b"\r\n"
# How much is encoded and decoded at once; measured: more leaves the processor's cache and takes a quarter longer.
_ENCODED_AT_ONCE = 3 << 16  # A multiple of three, which makes whole groups of base64.
_DECODED_AT_ONCE = 256 << 10
# What a JSON document may have beside its base64 string.
_MAX_REST = 1 << 20
_MAX_DEPTH = 64
# The first part of \u002B or \/, if the rest is in the next chunk.
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_SPACES = dict.fromkeys(map(ord, " \r\n\t"))
_JSON = json.JSONDecoder(strict=False)  # Base64 may have line breaks in it.
_STRING_END = re.compile(rb'["\\]')
_UNTIL_QUOTE = re.compile(rb'(?:[^"\\]+|\\.)*', re.DOTALL)
# Characters and escapes that are complete; the first half of a surrogate pair waits for the second. Not possessive:
# Python 3.11.2 matches too much then.
_HEX = "[0-9a-fA-F]"
_WHOLE_TOKENS = re.compile(
    rf"(?:[^\\]+|\\[^u]|\\u(?![dD][89abAB]){_HEX}{{4}}"
    rf"|\\u{_HEX}{{4}}(?:\\u[dD][c-fC-F]{_HEX}{{2}}|(?=[^\\]|\\[^u]|\\u(?![dD][c-fC-F]){_HEX}{{4}})))*",
    re.DOTALL,
)
_LONGEST_TOKEN = 12
_PLAIN = re.compile(rb'[^"{}\[\]:,]+')


class Body(Protocol):
    """A request's body."""

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""

    @property
    def length(self) -> int | None:
        """The number of bytes, or None if unknown before it is sent."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body; every call starts at its beginning."""


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
        """Yield the body in one chunk."""
        yield self.content


def json_body(value: object) -> BytesBody:
    """Build a JSON body."""
    return BytesBody(json.dumps(value).encode(), "application/json")


def form_body(fields: Mapping[str, str]) -> BytesBody:
    """Build the form body that the token endpoints take."""
    return BytesBody(urlencode(fields).encode(), "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class FilePart:
    """
    A document in a form.

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
    A multipart form: values first, then the documents.

    :param files: the documents
    :param json_parts: the values, sent without a file name, by which the services tell them from documents
    :param fields: the values of plain form fields, which may repeat
    """

    files: Sequence[FilePart]
    json_parts: Mapping[str, object] = field(default_factory=dict)
    fields: Sequence[tuple[str, str]] = ()
    # Random, so that no document can contain it by design.
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def content_type(self) -> str:
        """The Content-Type with the boundary."""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def length(self) -> int | None:
        """The number of bytes, or None if that of a document is unknown."""
        length = len(self._values()) + len(self._end())
        for file in self.files:
            if file.document.size is None:
                return None
            length += len(self._head(file)) + file.document.size + len(_LINE_END)
        return length

    def chunks(self) -> Iterator[bytes]:
        """Yield the form, reading the documents meanwhile."""
        yield self._values()
        for file in self.files:
            yield self._head(file)
            yield from file.document.chunks()
            yield _LINE_END
        yield self._end()

    def _values(self) -> bytes:
        head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{{}}"\r\n'.format
        parts = [
            f"{head(name)}Content-Type: text/json\r\n\r\n{json.dumps(value)}\r\n"
            for name, value in self.json_parts.items()
        ]
        return "".join(parts + [f"{head(name)}\r\n{value}\r\n" for name, value in self.fields]).encode()

    def _head(self, file: FilePart) -> bytes:
        # Escaped as in HTML's multipart/form-data encoding: a quote or a line break would end the header.
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
        """The number of bytes, or None if that of the document is unknown."""
        if self.document.size is None:
            return None
        return len(self._head()) + -(-self.document.size // 3) * 4 + len(self._tail())

    def chunks(self) -> Iterator[bytes]:
        """Yield the object, reading and encoding the document meanwhile."""
        yield self._head()
        left = b""
        for chunk in self.document.chunks():
            data = left + chunk
            whole = len(data) - len(data) % 3
            left = data[whole:]
            for at in range(0, whole, _ENCODED_AT_ONCE):
                yield pybase64.b64encode(data[at : min(at + _ENCODED_AT_ONCE, whole)])
        yield pybase64.b64encode(left)
        yield self._tail()

    def _head(self) -> bytes:
        return f'{{{json.dumps(self.key)}: "'.encode()

    def _tail(self) -> bytes:
        fields = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in self.rest.items())
        return f'"{fields}}}'.encode()


class StringField(ABC):
    """
    Decodes a string inside a JSON document while it streams, in bounded memory.

    Feed it the document in chunks; :meth:`close` checks that it is complete and returns the rest of it. No released
    JSON parser streams inside a string.

    :param paths: each the keys and indexes that lead to the string; one of them counts
    """

    def __init__(self, *paths: tuple[str | int, ...]) -> None:
        self._paths = paths
        self._where: list[str | int | None] = []
        self._rest = bytearray()
        self._string: bytearray | None = None
        self._is_key = False
        self._escaped = False
        self._in_field = False
        self._found = False

    def feed(self, chunk: bytes) -> bytes:
        """
        Take the next chunk of the document and return the decoded part of the string.

        :raises ValueError: if the document is not such JSON
        """
        decoded: list[bytes] = []
        at = 0
        while at < len(chunk):
            if self._in_field:
                at = self._read_field(chunk, at, decoded)
            elif self._string is not None:
                at = self._read_string(chunk, at)
            else:
                at = self._read_structure(chunk, at)
        return b"".join(decoded)

    def close(self) -> Any:
        """
        Return the document, with the base64 string replaced by an empty one.

        :raises ValueError: if the document is incomplete
        """
        if self._in_field or self._string is not None or self._where:
            raise ValueError("the JSON document ended early")
        return json.loads(bytes(self._rest))

    @property
    def found(self) -> bool:
        """Whether the document had the string."""
        return self._found

    def _keep(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) > _MAX_REST:
            raise ValueError("the JSON document is too large apart from the string of the result")

    def _read_structure(self, chunk: bytes, at: int) -> int:
        char = chunk[at : at + 1]
        self._keep(char)
        if char == b'"':
            if not self._is_key and tuple(self._where) in self._paths:
                if self._found:
                    raise ValueError("the JSON document has the string of the result twice")
                self._in_field = self._found = True
            else:
                self._string = bytearray()
        elif char in (b"{", b"["):
            if len(self._where) >= _MAX_DEPTH:
                raise ValueError("the JSON document is nested too deeply")
            self._where.append(None if char == b"{" else 0)
            self._is_key = char == b"{"
        elif char in (b"}", b"]"):
            if not self._where:
                raise ValueError("the JSON document has an unmatched bracket")
            self._where.pop()
            self._is_key = False
        elif char == b":":
            self._is_key = False
        elif char == b"," and self._where:
            index = self._where[-1]
            if isinstance(index, int):
                self._where[-1] = index + 1
            else:
                self._is_key = True
        return at + 1

    def _read_string(self, chunk: bytes, at: int) -> int:
        string = self._string
        assert string is not None  # noqa: S101 - the caller has checked it
        if self._escaped:
            self._escaped = False
            string += chunk[at : at + 1]
            self._keep(chunk[at : at + 1])
            return at + 1
        match = _STRING_END.search(chunk, at)
        end = match.end() if match else len(chunk)
        self._keep(chunk[at:end])
        string += chunk[at:end]
        if match and match[0] == b"\\":
            self._escaped = True
        elif match:
            if self._is_key and self._where:
                self._where[-1] = json.loads(b'"' + bytes(string))
            self._string = None
        return end

    def _end_field(self) -> None:
        self._in_field = False
        self._keep(b'"')

    @abstractmethod
    def _read_field(self, chunk: bytes, at: int, decoded: list[bytes]) -> int:
        """
        Read what a chunk has of the string.

        :param chunk: the chunk
        :param at: where to begin
        :param decoded: takes the decoded bytes
        :return: where to go on: after the quote that ends the string, if it was reached and :meth:`_end_field` called
        """


class Base64Field(StringField):
    """
    Decodes base64. Escapes are undone, because .NET writes ``+`` as ``\\u002B``.

    :param path: the keys and indexes that lead to the string
    """

    def __init__(self, path: tuple[str | int, ...]) -> None:
        super().__init__(path)
        self._tail = ""
        self._quads = ""
        self._padded = False

    def _read_field(self, chunk: bytes, at: int, decoded: list[bytes]) -> int:
        last = min(len(chunk), at + _DECODED_AT_ONCE)
        end = chunk.find(b'"', at, last)
        # Bytes beyond ASCII become a character that is not base64.
        text = self._tail + chunk[at : last if end < 0 else end].decode("ascii", "replace")
        self._tail = ""
        if "\\" in text:
            if end < 0 and (half := _HALF_ESCAPE.search(text, max(0, len(text) - 5))):
                text, self._tail = text[: half.start()], half[0]
            # The fastest way in Python's library to undo escapes; .NET writes one in 64 characters.
            text = _JSON.decode(f'"{text}"')
        self._decode(text, decoded)
        if end < 0:
            return last
        if self._quads:
            raise ValueError("the base64 string is cut off")
        self._end_field()
        return end + 1

    def _decode(self, text: str, decoded: list[bytes]) -> None:
        # Searching is almost free, translating is not.
        if any(chr(space) in text for space in _SPACES):
            text = text.translate(_SPACES)
        data = self._quads + text
        whole = len(data) - len(data) % 4
        self._quads = data[whole:]
        if whole:
            if self._padded:
                raise ValueError("the base64 string continues after its padding")
            decoded.append(pybase64.b64decode(data[:whole], validate=True))
            self._padded = data[whole - 1] == "="


class TextField(StringField):
    """Decodes a text to UTF-8."""

    def __init__(self, *paths: tuple[str | int, ...]) -> None:
        super().__init__(*paths)
        self._utf8 = getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._in_escape = False

    def _read_field(self, chunk: bytes, at: int, decoded: list[bytes]) -> int:
        last = min(len(chunk), at + _DECODED_AT_ONCE)
        match = _UNTIL_QUOTE.match(chunk, at + self._in_escape, last)
        end = match.end() if match else at
        closed = end < last and chunk[end : end + 1] == b'"'
        self._in_escape = end < last and not closed  # The rest is a backslash, and what it escapes is still to come.
        stop = end if closed else last
        text = self._held + self._utf8.decode(chunk[at:stop], closed)
        whole = len(text) if closed or not (tokens := _WHOLE_TOKENS.match(text)) else tokens.end()
        self._held = text[whole:]
        if len(self._held) > _LONGEST_TOKEN:
            raise ValueError("the JSON document has an invalid escape")
        # A lone half of a surrogate pair is not a character.
        decoded.append(_JSON.decode(f'"{text[:whole]}"').encode("utf-8", "replace"))
        if closed:
            self._end_field()
        return stop + closed


class ObjectField(StringField):
    """Passes an object on as it is, instead of a string."""

    def __init__(self, *paths: tuple[str | int, ...]) -> None:
        super().__init__(*paths)
        self._passed = bytearray()
        self._is_open = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk of the document and return what it has of the object."""
        super().feed(chunk)
        passed = bytes(self._passed)
        self._passed.clear()
        return passed

    def _keep(self, data: bytes) -> None:
        if self._is_open:
            self._passed += data
        else:
            super()._keep(data)

    def _read_structure(self, chunk: bytes, at: int) -> int:
        if plain := _PLAIN.match(chunk, at):
            self._keep(plain[0])
            return plain.end()
        if chunk[at : at + 1] == b"{" and not self._is_open and tuple(self._where) in self._paths:
            if self._found:
                raise ValueError("the JSON document has the object of the result twice")
            self._keep(b"null")
            self._is_open = self._found = True
        end = super()._read_structure(chunk, at)
        self._is_open = self._is_open and tuple(self._where) not in self._paths
        return end

    def _read_field(self, chunk: bytes, at: int, decoded: list[bytes]) -> int:
        raise ValueError("the JSON document has a string where its result is an object")
