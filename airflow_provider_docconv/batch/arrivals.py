"""Decides which documents of a folder have arrived: are new or changed, and have settled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

#: The documents of a folder at one time: the path of each below the folder, and what tells its content from others.
Listing = Mapping[str, str]


class Arrivals:
    """
    Compares listings of a folder with what was told before.

    A document has settled when two successive listings show it alike: one that is still being written does not count.

    :param watermark: the digest of what an earlier process has told, or None if nothing was told yet
    """

    def __init__(self, watermark: str | None = None) -> None:
        self.watermark = watermark
        self._last: Listing | None = None
        # None where only its digest is known.
        self._told: Listing | None = {} if watermark is None else None

    def see(self, listing: Listing) -> int:
        """
        Take the next listing, and return how many documents have arrived by it.

        Where only the digest of what was told is known, and it is another one, all settled documents count as arrived.

        :param listing: the listing
        """
        last, self._last = self._last, listing
        if last is None:
            return 0
        settled = {name: content for name, content in listing.items() if last.get(name) == content}
        if settled == self._told:
            return 0
        watermark, self.watermark = self.watermark, _digest(settled)
        told, self._told = self._told, settled
        if told is None:
            told = settled if self.watermark == watermark else {}
        return sum(told.get(name) != content for name, content in settled.items())


def _digest(listing: Listing) -> str:
    return hashlib.sha256(json.dumps(sorted(listing.items())).encode()).hexdigest()
