"""Takes one base64 string out of a JSON document while the document streams past."""

from __future__ import annotations

import json
import re
from typing import Any

import pybase64

_MAX_REST = 1 << 20
_MAX_DEPTH = 64
# What is decoded at once; measured: more leaves the processor's cache and takes a quarter longer.
_SLICE = 256 << 10
# The beginning of \u002B or \/, whose rest is in the next piece.
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_SPACES = dict.fromkeys(map(ord, " \r\n\t"))
_JSON = json.JSONDecoder(strict=False)  # Line breaks between the letters are nothing to complain of.
_STRING_END = re.compile(rb'["\\]')


class Base64Field:
    """
    Decodes the base64 string at one place of a JSON document, in memory that does not grow with it.

    Feed it the document piece by piece; :meth:`close` checks that it was whole and returns the rest of it.
    No released JSON parser streams inside one string. .NET writes ``+`` as ``\\u002B``, so escapes are undone.

    :param path: where the string is, as keys and indexes
    """

    def __init__(self, path: tuple[str | int, ...]) -> None:
        self._path = path
        self._where: list[str | int | None] = []
        self._rest = bytearray()
        self._string: bytearray | None = None
        self._is_key = False
        self._escaped = False
        self._in_field = False
        self._found = False
        self._tail = ""
        self._quads = ""
        self._padded = False

    def feed(self, chunk: bytes) -> bytes:
        """
        Take the next piece of the document and return what of the string could be decoded.

        :raises ValueError: if the document is no such JSON
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
        Return the document with an empty string in the place of the decoded one.

        :raises ValueError: if the document is not whole
        """
        if self._in_field or self._string is not None or self._where or self._quads or self._tail:
            raise ValueError("the JSON document ended early")
        return json.loads(bytes(self._rest))

    @property
    def found(self) -> bool:
        """Whether the string has been met."""
        return self._found

    def _keep(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) > _MAX_REST:
            raise ValueError("the JSON document is too large beside its base64 string")

    def _read_structure(self, chunk: bytes, at: int) -> int:
        char = chunk[at : at + 1]
        self._keep(char)
        if char == b'"':
            if not self._is_key and tuple(self._where) == self._path:
                if self._found:
                    raise ValueError("the JSON document has the base64 string twice")
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
                raise ValueError("the JSON document closes what it never opened")
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
        assert string is not None  # noqa: S101 - the caller looked
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

    def _read_field(self, chunk: bytes, at: int, decoded: list[bytes]) -> int:
        last = min(len(chunk), at + _SLICE)
        end = chunk.find(b'"', at, last)
        # Other bytes than ASCII become a character that is no base64.
        text = self._tail + chunk[at : last if end < 0 else end].decode("ascii", "replace")
        self._tail = ""
        if "\\" in text:
            if end < 0 and (half := _HALF_ESCAPE.search(text, max(0, len(text) - 5))):
                text, self._tail = text[: half.start()], half[0]
            # The quickest way in Python's library to undo escapes: .NET writes one in 64 characters.
            text = _JSON.decode(f'"{text}"')
        self._decode(text, decoded)
        if end < 0:
            return last
        if self._quads:
            raise ValueError("the base64 string is cut off")
        self._in_field = False
        self._keep(b'"')
        return end + 1

    def _decode(self, text: str, decoded: list[bytes]) -> None:
        # Looking for each costs next to nothing, taking none out does not.
        if any(chr(space) in text for space in _SPACES):
            text = text.translate(_SPACES)
        data = self._quads + text
        whole = len(data) - len(data) % 4
        self._quads = data[whole:]
        if whole:
            if self._padded:
                raise ValueError("the base64 string goes on after its end")
            decoded.append(pybase64.b64decode(data[:whole], validate=True))
            self._padded = data[whole - 1] == "="
