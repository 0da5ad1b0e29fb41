"""
The engine ``echo``: it converts nothing. Its results follow from the bytes of their sources.

A result that is mixed up with another, damaged, cut short or put together in the wrong order therefore shows. It is
computed while it is sent, so results of any size take no space.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

# A multiple of three bytes, so that the base64 of the pieces is that of the whole.
PIECE = 3 << 18
_HEAD = "%PDF-1.7\n% {}\n"
_TAIL = b"%%EOF\n"
_STAMP = 9
SMALLEST = len(_HEAD.format("0" * 64)) + len(_TAIL)
#: A document that has this word in its first bytes can't be converted.
DAMAGED = b"DAMAGED"
#: How many bytes are searched for it: clients refuse documents that lack their format's signature, which comes first.
HEAD = 32


@dataclass(frozen=True)
class Echo:
    """
    A result.

    :param digest: the SHA-256 of the source.
    :param size: the result's length in bytes.
    :param suffix: the ending of its name; the bytes are those of a PDF, whatever was asked for.
    """

    digest: bytes
    size: int
    suffix: str = ".pdf"

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes in pieces, each a multiple of three long but the last."""
        for stamp, rest in self._parts():
            yield stamp + rest

    def base64_pieces(self) -> Iterator[bytes]:
        """Give the bytes in base64, as .NET writes it into JSON."""
        before = encoded = b""
        for stamp, rest in self._parts():
            # All pieces but the first and the last share their rest.
            if rest is not before:
                before, encoded = rest, json_base64(rest)
            yield json_base64(stamp) + encoded

    def _parts(self) -> Iterator[tuple[bytes, bytes]]:
        body = self.size - len(_TAIL)
        filler = hashlib.shake_256(self.digest).digest(min(body, PIECE))
        head = _HEAD.format(self.digest.hex()).encode()
        shared = filler[_STAMP:]
        for index, begin in enumerate(range(0, body, PIECE)):
            length = min(PIECE, body - begin)
            tail = _TAIL if begin + length == body else b""
            if index == 0:
                yield b"", head + filler[len(head) : length] + tail
            elif length == PIECE and not tail:
                yield index.to_bytes(_STAMP), shared
            else:
                yield b"", (index.to_bytes(_STAMP) + shared)[:length] + tail


def json_base64(piece: bytes) -> bytes:
    """Encode bytes as .NET writes them into JSON, with ``+`` as an escape."""
    return base64.b64encode(piece).replace(b"+", b"\\u002B")


def expected_result(sha256: str, size: int = 2048) -> bytes:
    """
    Compute the result that the engine ``echo`` gives for a source.

    :param sha256: the source's SHA-256, in hexadecimal.
    :param size: the result's length in bytes: the setting ``result_bytes``.
    """
    if size < SMALLEST:
        raise ValueError(f"A result has at least {SMALLEST} bytes, not {size}.")
    return b"".join(Echo(bytes.fromhex(sha256), size).pieces())
