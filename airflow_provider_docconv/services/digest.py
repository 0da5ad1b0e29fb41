"""The SHA-256 of bytes that pass by, computed in a thread beside."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

# Handing over less than this costs more than it saves.
_WORTH_HANDING_OVER = 256 << 10


class Digest:
    """
    A SHA-256, for which whoever carries the bytes does not wait: large pieces are hashed while the next is carried.

    It holds one piece. Its thread starts with the first large piece and ends when this object is gone.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        # An idle one is no thread yet.
        self._beside = ThreadPoolExecutor(1, "docconv-sha256")
        self._pending: Future[None] | None = None

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        self._wait()
        if len(piece) < _WORTH_HANDING_OVER:
            self._hash.update(piece)
        else:
            self._pending = self._beside.submit(self._hash.update, piece)

    def hexdigest(self) -> str:
        """Return the digest of all pieces so far, in hexadecimal."""
        self._wait()
        return self._hash.hexdigest()

    def _wait(self) -> None:
        if self._pending:
            self._pending.result()
            self._pending = None
