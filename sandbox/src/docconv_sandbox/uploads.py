"""Request bodies with documents in them, streamed to disk as they come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from docconv_sandbox.errors import ApiError

_CHUNK = 1 << 18
_LARGEST_OPTIONS = 1 << 20
_JSON = {"application/json", "text/json"}


@dataclass
class Document:
    """A document that arrived.

    :param path: where it is
    :param name: the file name it came with, or an empty text
    """

    path: Path
    name: str


@dataclass
class Upload:
    """The documents and options of one request.

    :param documents: the documents, in order
    :param options: the options, with their keys in lower case
    """

    documents: list[Document] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


class _Room:
    """What a body may still hold.

    :param limit: the largest body in MiB
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._left = int(limit * (1 << 20))

    def take(self, size: int) -> None:
        """Take bytes in."""
        self._left -= size
        if self._left < 0:
            raise ApiError(413, f"The request is larger than {self._limit:g} MiB.", "errorTooLarge")


async def receive(request: web.Request, folder: Path, limit: float) -> Upload:
    """Take in a body: a raw document, or parts with a document and maybe options.

    The vendors' SDKs disagree about the names of the parts, so names mean nothing here: options are JSON by their
    content type, or have no file name and look like JSON.

    :param request: the request
    :param folder: where the documents go
    :param limit: the largest body in MiB
    """
    _Room(limit).take(request.content_length or 0)
    room = _Room(limit)
    if not request.content_type.startswith("multipart/"):
        return await _receive_one(request, folder, room)
    try:
        return await _receive_parts(request, folder, room)
    except (ValueError, HttpProcessingError) as error:  # aiohttp's words for a body that is not what its headers say
        raise ApiError(400, f"The multipart body is malformed: {error}", "errorInvalidRequest") from error


def parse_options(text: str) -> dict[str, Any]:
    """Read options as leniently as the vendors' servers: in any case, with either kind of quotes."""
    if not text.strip():
        return {}
    for candidate in (text, text.replace("'", '"')):
        with contextlib.suppress(ValueError, RecursionError):
            options = json.loads(candidate)
            if isinstance(options, dict):
                return {key.lower(): value for key, value in options.items()}
    raise ApiError(400, "Invalid value for options: it is not a JSON object.", "errorInvalidParameter")


def read_options(path: Path) -> dict[str, Any]:
    """Read options that were taken in as a file."""
    if path.stat().st_size > _LARGEST_OPTIONS:
        raise ApiError(413, "The options are too large.", "errorTooLarge")
    return parse_options(path.read_bytes().decode("utf-8", "replace"))


async def _receive_one(request: web.Request, folder: Path, room: _Room) -> Upload:
    path = folder / "upload-0"
    size = await _save(request.content.iter_chunked(_CHUNK), path, room)
    # A merge of what is stored already sends its list alone; some clients send any document as JSON.
    if request.content_type in _JSON and _looks_like_json(path):
        return Upload(options=read_options(path))
    return Upload([Document(path, "")] if size else [])


async def _receive_parts(request: web.Request, folder: Path, room: _Room) -> Upload:
    upload = Upload()
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise ApiError(400, "Parts inside of parts are not expected.", "errorInvalidRequest")
        kind = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        path = folder / f"upload-{len(upload.documents)}"
        size = await _save(_chunks(part), path, room)
        if kind in _JSON or (not part.filename and _looks_like_json(path)):
            upload.options |= read_options(path)
            path.unlink()
        elif size or part.filename:
            upload.documents.append(Document(path, _text(part.filename or "")))
    return upload


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        yield chunk


async def _save(chunks: AsyncIterator[bytes], path: Path, room: _Room) -> int:
    # Writing blocks the loop for a fraction of a millisecond per chunk; a thread per chunk would cost more.
    with path.open("wb") as file:
        async for chunk in chunks:
            room.take(len(chunk))
            file.write(chunk)
        return file.tell()


def _text(name: str) -> str:
    """Give a name that can be sent back: aiohttp keeps bytes that are no UTF-8 as surrogates."""
    return name.encode("utf-8", "replace").decode()


def _looks_like_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"
