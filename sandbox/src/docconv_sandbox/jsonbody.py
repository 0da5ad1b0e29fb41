"""A JSON body with a document in it, base64-encoded, read without ever holding the document."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable
from typing import Any

_LARGEST_REST = 1 << 20
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_COLON = re.compile(rb'([^"\\]*)"\s*:\s*')
_ESCAPES = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}


class Base64Field:
    """Takes a JSON object in chunks and decodes one text of it into a sink; the rest is read when all has come.

    :param key: the text's key at the top level, in lower case; on the wire it may be in any case
    :param sink: takes the decoded bytes
    """

    def __init__(self, key: str, sink: Callable[[bytes], object]) -> None:
        self._key = key
        self._sink = sink
        self._rest = bytearray()
        # Where the last text in it begins: nothing before that is looked at twice.
        self._last_text = 0
        self._pending = b""
        self._at = 0
        self._base64 = bytearray()
        self._depth = 0
        self._mode: Callable[[], bool] = self._outside
        self.found = False

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk.

        :param chunk: some bytes of the body
        """
        self._pending = self._pending[self._at :] + chunk
        self._at = 0
        while self._mode():
            pass
        if len(self._rest) > _LARGEST_REST:
            raise ValueError("the JSON is too large apart from the document")

    def close(self) -> dict[str, Any]:
        """Give the rest of the object, with an empty text in the document's place.

        :return: the object, with its keys in lower case
        """
        self._keep(len(self._pending))
        if self._base64:
            raise ValueError("the document's base64 is cut short")
        rest = json.loads(self._rest)
        if not isinstance(rest, dict):
            raise ValueError("the JSON is not an object")
        return {name.lower(): value for name, value in rest.items()}

    def _outside(self) -> bool:
        match = _OUTSIDE.search(self._pending, self._at)
        if not match:
            self._keep(len(self._pending))
            return False
        mark = match[0]
        self._keep(match.end())
        self._depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(mark, 0)
        if mark == b'"':
            self._mode = self._document if self._is_document() else self._text
            self._last_text = len(self._rest)
        return True

    def _text(self) -> bool:
        match = _INSIDE.search(self._pending, self._at)
        if not match:
            self._keep(len(self._pending))
            return False
        if match[0] == b'"':
            self._keep(match.end())
            self._mode = self._outside
            return True
        if len(self._pending) < match.end() + 1:
            return False
        self._keep(match.end() + 1)
        return True

    def _document(self) -> bool:
        # Two plain searches: a pattern takes ten times as long, and this is where all of the bytes go by.
        # The escape comes first, for where there are many: a quote is looked for no further than up to the next one.
        escape = self._pending.find(b"\\", self._at)
        end = len(self._pending) if escape < 0 else escape
        quote = self._pending.find(b'"', self._at, end)
        if quote >= 0:
            end = quote
        self._decode(self._pending[self._at : end])
        self._at = end
        if end == len(self._pending):
            return False
        if quote < 0:
            return self._escape()
        self._keep(end + 1)
        self._mode = self._outside
        return True

    def _escape(self) -> bool:
        # .NET writes + as \u002B, PHP writes / as \/.
        size = 6 if self._pending[self._at + 1 : self._at + 2] == b"u" else 2
        escape = self._pending[self._at : self._at + size]
        if len(escape) < size:
            return False
        self._at += size
        self._decode(bytes([int(escape[2:], 16) & 0x7F]) if size == 6 else _ESCAPES.get(escape[1:], b"?"))
        return True

    def _is_document(self) -> bool:
        if self.found or self._depth != 1:
            return False
        name = _COLON.fullmatch(self._rest, self._last_text, len(self._rest) - 1)
        self.found = name is not None and name[1].decode("utf-8", "replace").lower() == self._key
        return self.found

    def _keep(self, end: int) -> None:
        self._rest += self._pending[self._at : end]
        self._at = end

    def _decode(self, text: bytes) -> None:
        self._base64 += text.translate(None, b" \r\n\t")
        whole = len(self._base64) // 4 * 4
        if whole:
            try:
                self._sink(binascii.a2b_base64(self._base64[:whole], strict_mode=True))
            except binascii.Error as error:
                raise ValueError(f"the document's base64 is wrong: {error}") from error
            del self._base64[:whole]
