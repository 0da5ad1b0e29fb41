"""Looks at a file's bytes as they pass by, and tells at their end whether they are a whole file."""

from __future__ import annotations

import hashlib

from airflow_provider_docconv.services.endings import TAIL, missing_end
from airflow_provider_docconv.services.errors import TruncatedResult

_HEAD = 1024


class Inspection:
    """
    What is known of the bytes that have passed.

    :param what: what they are, for messages
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._hash = hashlib.sha256()
        self._head = self._tail = b""
        #: How many there were.
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        if len(self._head) < _HEAD:
            self._head += chunk[: _HEAD - len(self._head)]
        self._tail = chunk[-TAIL:] if len(chunk) >= TAIL else (self._tail + chunk)[-TAIL:]
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """Their SHA-256, in hexadecimal."""
        return self._hash.hexdigest()

    def require_whole(self) -> None:
        """
        Check that they end as their first bytes promise.

        :raises TruncatedResult: if not
        """
        if missing := missing_end(self._head, self._tail, self.size):
            raise TruncatedResult(f"{self._what} is incomplete: {missing}")
