"""Documents that come: hashed as they stream, and not kept, however they are packed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from docconv_sandbox.jsonbody import Base64Field

_CHUNK = 1 << 18
_DAMAGED = b"DAMAGED"
# Room for a signature before that mark: our own clients refuse a DjVu document without one.
_HEAD = 32
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
        return _DAMAGED in self.head

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.head += chunk[: _HEAD - len(self.head)]
        self.size += len(chunk)
        self._hash.update(chunk)


async def receive_document(request: web.BaseRequest) -> Upload:
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
    except ValueError as error:
        raise ValueError(f"The multipart body is malformed: {error}") from error
    except AssertionError as error:  # aiohttp's word for parts without an end
        raise ValueError("The multipart body is malformed: it has no end.") from error
    finally:
        await _read_on(request)
    return upload


async def receive_base64(request: web.BaseRequest, key: str) -> Upload:
    """
    Take in a body to its end: a JSON object with a document in base64.

    :param request: the request.
    :param key: the document's key, in lower case; on the wire it may be in any case.
    :raises ValueError: if it is no such JSON.
    """
    upload = Upload()
    field = Base64Field(key, upload.feed)
    try:
        async for chunk in request.content.iter_chunked(_CHUNK):
            field.feed(chunk)
        field.close()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The JSON value could not be converted: {error}.") from error
    finally:
        await _read_on(request)
    return upload


async def _read_on(request: web.BaseRequest) -> None:
    # What follows belongs to the request, too: without its end it never came.
    async for _ in request.content.iter_chunked(_CHUNK):
        pass


async def _documents(request: web.BaseRequest) -> AsyncIterator[BodyPartReader]:
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise ValueError("Parts inside of parts are not expected.")
        # The vendor's SDKs disagree about the names of the parts, but not about the type of the options.
        if part.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in _OPTIONS:
            yield part
