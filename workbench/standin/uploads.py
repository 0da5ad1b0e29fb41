"""Documents that come: hashed as they stream, and not kept."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

_CHUNK = 1 << 18
_DAMAGED = b"DAMAGED"
_OPTIONS = ("text/json", "application/json")


@dataclass
class Upload:
    """
    A document that has come.

    :param size: its length in bytes.
    :param head: its first bytes.
    """

    size: int = 0
    head: bytes = b""
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def digest(self) -> bytes:
        """Its SHA-256."""
        return self._hash.digest()

    @property
    def damaged(self) -> bool:
        """Whether it is marked as one that can't be converted."""
        return self.head.startswith(_DAMAGED)

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        if len(self.head) < len(_DAMAGED):
            self.head += chunk[: len(_DAMAGED)]
        self.size += len(chunk)
        self._hash.update(chunk)


async def receive(request: web.BaseRequest) -> Upload:
    """
    Take in a body to its end: a raw document, or parts of which one is the document and others are options.

    :param request: the request.
    :raises ValueError: if it is not what its headers say.
    """
    upload = Upload()
    if not request.content_type.startswith("multipart/"):
        async for chunk in request.content.iter_chunked(_CHUNK):
            upload.feed(chunk)
        return upload
    try:
        async for part in _documents(request):
            while chunk := await part.read_chunk(_CHUNK):
                upload.feed(chunk)
    except AssertionError as error:  # aiohttp's word for parts without an end
        raise ValueError("The parts have no end.") from error
    finally:
        # What follows the last part belongs to the request, too: without its end it never came.
        async for _ in request.content.iter_chunked(_CHUNK):
            pass
    return upload


async def _documents(request: web.BaseRequest) -> AsyncIterator[BodyPartReader]:
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise ValueError("Parts inside of parts are not expected.")
        # The vendor's SDKs disagree about the names of the parts, but not about the type of the options.
        if part.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _OPTIONS:
            yield part
