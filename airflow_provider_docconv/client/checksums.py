"""The checksum that a service sends along with a result, if it does."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping

# RFC 9530, and what it has replaced: RFC 3230 and RFC 1864.
_HEADERS = ("repr-digest", "content-digest", "digest")
# The strongest first.
_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "md5": "md5"}


class Checksum:
    """
    Compares what came with what was announced; without an announcement, anything is right.

    :param headers: the headers of a whole reply that has no content coding, with lower-case names
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        announced = dict(_announced(headers))
        #: The algorithm's name, or None if nothing was announced.
        self.name = next((name for name in _ALGORITHMS if name in announced), None)
        if self.name:
            self._expected = announced[self.name]
            self._hash = hashlib.new(_ALGORITHMS[self.name], usedforsecurity=False)

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the body."""
        if self.name:
            self._hash.update(chunk)

    @property
    def fits(self) -> bool:
        """Whether what came is what was announced."""
        return self.name is None or self._hash.digest() == self._expected


def _announced(headers: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    values = [item.strip() for header in _HEADERS for item in headers.get(header, "").split(",")]
    for value in [*values, f"md5={headers.get('content-md5', '')}"]:
        name, _, text = value.partition("=")
        try:
            digest = base64.b64decode(text.strip(" :"), validate=True)
        except ValueError:
            continue
        # What has another length is no digest: like a Content-Length that is no number, it is not believed.
        if name.lower() in _ALGORITHMS and len(digest) == hashlib.new(_ALGORITHMS[name.lower()]).digest_size:
            yield name.lower(), digest
