"""What a conversion gives: bytes that follow from the source's, so that a mixed-up or damaged result shows."""

from __future__ import annotations

import hashlib

_HEAD = "%PDF-1.7\n% {}\n"
_TAIL = b"%%EOF\n"
SMALLEST = len(_HEAD.format("0" * 64)) + len(_TAIL)


def expected_result(source_sha256: str, size: int) -> bytes:
    """
    Return the result of a source.

    :param source_sha256: the source's SHA-256, in hexadecimal.
    :param size: the result's length in bytes, of which the server is told by ``--result-bytes``.
    """
    if size < SMALLEST:
        raise ValueError(f"A result has at least {SMALLEST} bytes, not {size}.")
    digest = bytes.fromhex(source_sha256)
    # Without a period: a piece that is missing, doubled or in the wrong place is noticed anywhere.
    padding = hashlib.shake_256(digest).digest(size - SMALLEST)
    return _HEAD.format(digest.hex()).encode() + padding + _TAIL
