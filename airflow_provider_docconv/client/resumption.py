"""Goes on with a result where it broke off, if it is surely still the same one (RFC 9110 §13.1.5 and §14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)


class Resumption:
    """
    Whether and how a result can be gone on with.

    :param headers: the headers of the whole reply, with lower-case names
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        ranges = headers.get("accept-ranges", "").lower() == "bytes"
        self._etag = headers.get("etag", "")
        self._validator = _validator(headers) if ranges else None

    def headers(self, received: int) -> dict[str, str] | None:
        """
        Return the headers that ask for the rest, None if the service offers none or nothing has come.

        :param received: how many bytes have come
        """
        if self._validator is None or not received:
            return None
        return {"Range": f"bytes={received}-", "If-Range": self._validator}

    def accepts(self, status: int, headers: Mapping[str, str], received: int, expected: int | None) -> bool:
        """
        Tell whether a reply is the rest of the very same result.

        :param status: its status
        :param headers: its headers, with lower-case names
        :param received: how many bytes have come
        :param expected: how many bytes there are, None if nobody has said
        """
        match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        if status != 206 or not match or int(match[1]) != received:
            return False
        if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            return False
        # The ETag is required again; a date is not.
        if headers.get("etag", "") != self._etag:
            return False
        return expected is None or match[2] in ("*", str(expected))


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what tells this version of the result from all others, if that is certain."""
    if etag := headers.get("etag"):
        return etag if etag.startswith('"') else None
    changed, now = headers.get("last-modified", ""), headers.get("date", "")
    try:
        age = parsedate_to_datetime(now) - parsedate_to_datetime(changed)
    except (ValueError, TypeError):
        return None
    # Within one second a file can change twice (§8.8.2.2).
    return changed if age >= timedelta(seconds=1) else None
