"""Request bodies with documents in them, streamed to disk as they come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from airflow_provider_docconv.sandbox.errors import ApiError

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


async def receive(request: web.Request, folder: Path, limit: float) -> Upload:
    """Take in a body: a raw document, or parts with a document and maybe options.

    The vendors' SDKs disagree about the names of the parts, so names mean nothing here: options are JSON by their
    content type, or have no file name and look like JSON.

    :param request: the request
    :param folder: where the documents go
    :param limit: the largest body in MiB
    """
    limit_bytes = int(limit * (1 << 20))
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit)
    upload = Upload()
    if request.content_type.startswith("multipart/"):
        async for part in _parts(request):
            kind = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            path = folder / f"upload-{len(upload.documents)}"
            size = await _save(_chunks(part), path, limit_bytes, limit)
            if kind in _JSON or (not part.filename and _looks_like_json(path)):
                upload.options |= read_options(path)
                path.unlink()
            elif size or part.filename:
                upload.documents.append(Document(path, part.filename or ""))
    else:
        path = folder / "upload-0"
        size = await _save(request.content.iter_chunked(_CHUNK), path, limit_bytes, limit)
        # A merge of what is stored already sends its list alone; some clients send any document as JSON.
        if request.content_type in _JSON and _looks_like_json(path):
            upload.options |= read_options(path)
        elif size:
            upload.documents.append(Document(path, ""))
    return upload


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


async def _parts(request: web.Request) -> AsyncIterator[BodyPartReader]:
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise ApiError(400, "Parts inside of parts are not expected.", "errorInvalidRequest")
            yield part
    except ValueError as error:  # aiohttp's word for a body that is not what its headers say
        raise ApiError(400, f"The multipart body is malformed: {error}", "errorInvalidRequest") from error


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        decoded = part.decode(chunk)
        # A coroutine in aiohttp 3.13.3, the newest when Airflow 2.11.2 and 3.1.8 came out.
        yield await decoded if isawaitable(decoded) else decoded


async def _save(chunks: AsyncIterator[bytes], path: Path, limit_bytes: int, limit: float) -> int:
    size = 0
    # Writing blocks the loop for a fraction of a millisecond per chunk; a thread per chunk would cost more.
    with path.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit_bytes:
                raise _too_large(limit)
            file.write(chunk)
    return size


def _looks_like_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"


def _too_large(limit: float) -> ApiError:
    return ApiError(413, f"The request is larger than {limit:g} MiB.", "errorTooLarge")
