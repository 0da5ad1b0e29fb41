"""Request bodies with documents in them, raw, in parts, or as base64 in JSON, streamed and hashed as they come."""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from docconv_sandbox import echo
from docconv_sandbox.errors import ApiError

_CHUNK = 1 << 18
_LARGEST_OPTIONS = 1 << 20
_LARGEST_REST = 1 << 20
_JSON = {"application/json", "text/json"}
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_COLON = re.compile(rb'([^"\\]*)"\s*:\s*')
_ESCAPES = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}


@dataclass
class Document:
    """
    A document that arrived.

    :param path: where it is; there is nothing if documents are not kept.
    :param name: the file name it came with, or an empty text.
    """

    path: Path
    name: str


@dataclass
class Source:
    """What is known of a source beside its bytes: its SHA-256, its length, and the bytes it begins with."""

    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    size: int = 0
    head: bytes = b""

    @property
    def digest(self) -> bytes:
        """Its SHA-256."""
        return self.hash.digest()

    @property
    def damaged(self) -> bool:
        """Whether it is marked as one that the engine ``echo`` can't convert."""
        return echo.DAMAGED in self.head

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if len(self.head) < echo.HEAD:
            self.head += chunk[: echo.HEAD - len(self.head)]
        self.size += len(chunk)
        self.hash.update(chunk)

    def read(self, path: Path) -> None:
        """Take a file, if it is there."""
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self.feed(chunk)


@dataclass
class Upload:
    """
    The documents and options of one request.

    :param documents: the documents, in order.
    :param options: the options, with their keys in lower case.
    :param source: what is known of all the documents together.
    """

    documents: list[Document] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)


class _Room:
    """
    What a body may still hold.

    :param limit: the largest body in MiB.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._left = int(limit * (1 << 20))

    def take(self, size: int) -> None:
        """Take bytes in."""
        self._left -= size
        if self._left < 0:
            raise ApiError(413, f"The request is larger than {self._limit:g} MiB.", "errorTooLarge")


class _Sink:
    """
    Takes one document and hashes it.

    :param path: the file it goes to; None keeps nothing.
    :param source: is fed with it.
    """

    def __init__(self, path: Path | None, source: Source) -> None:
        self._file = path.open("wb") if path else None
        self._source = source
        self.size = 0

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        # This blocks the loop for a fraction of a millisecond per chunk; a thread per chunk would cost more.
        self.size += len(chunk)
        self._source.feed(chunk)
        if self._file:
            self._file.write(chunk)


async def receive(request: web.Request, folder: Path, limit: float, *, keep: bool = True) -> Upload:
    """
    Take in a body: a raw document, or parts with a document and maybe options.

    The vendors' SDKs disagree about the names of the parts, so names mean nothing here: options are JSON by their
    content type, or have no file name and look like JSON.

    :param request: the request.
    :param folder: where the documents go.
    :param limit: the largest body in MiB.
    :param keep: whether the documents are kept, or only hashed.
    """
    _Room(limit).take(request.content_length or 0)
    room = _Room(limit)
    if not request.content_type.startswith("multipart/"):
        return await _receive_one(request, folder, room, keep)
    try:
        return await _receive_parts(request, folder, room, keep)
    except (ValueError, HttpProcessingError) as error:  # aiohttp's words for a body that is not what its headers say
        raise ApiError(400, f"The multipart body is malformed: {error}", "errorInvalidRequest") from error
    except AssertionError as error:  # and for parts without an end
        raise ApiError(400, "The multipart body is malformed: it has no end.", "errorInvalidRequest") from error


async def receive_form(
    request: web.Request, folder: Path, limit: float, *, keep: bool = True
) -> tuple[Upload, list[tuple[str, str]]]:
    """
    Take in a form: what has a file name is a document, everything else a plain field. Fields may repeat.

    :param request: the request.
    :param folder: where the documents go.
    :param limit: the largest body in MiB.
    :param keep: whether the documents are kept, or only hashed.
    """
    room, upload, fields = _Room(limit), Upload(), []
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise ApiError(400, "There was an error parsing the body")
            chunks = _chunks(part)
            if part.filename is None:
                value = b"".join([chunk async for chunk in chunks])
                room.take(len(value))
                fields.append((_text(part.name or ""), value.decode("utf-8", "replace")))
                continue
            path = folder / f"upload-{len(upload.documents)}"
            await _save(b"", chunks, path if keep else None, upload.source, room)
            upload.documents.append(Document(path, _text(part.filename)))
    except (ValueError, AssertionError, HttpProcessingError) as error:
        raise ApiError(400, "There was an error parsing the body") from error
    return upload, fields


async def receive_base64(
    request: web.Request, key: str, path: Path, limit: float, *, keep: bool = True
) -> tuple[Source, dict[str, Any]]:
    """
    Take in a body: a JSON object with a document in base64. Return what is known of the document, and the rest.

    :param request: the request.
    :param key: the document's key, in lower case.
    :param path: where the document goes.
    :param limit: the largest body in MiB.
    :param keep: whether the document is kept, or only hashed.
    """
    room, source = _Room(limit), Source()
    with _Sink(path if keep else None, source) as sink:
        body = Base64Field(key, sink.write)
        try:
            async for chunk in request.content.iter_any():
                room.take(len(chunk))
                body.feed(chunk)
            rest = body.close()
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"The JSON value could not be converted: {error}.") from error
        if not body.found or not sink.size:
            raise ApiError(400, f"The {key.title()} field is required.")
    return source, rest


async def read_to_end(request: web.BaseRequest) -> None:
    """Read what is left of a body: without its end, a request has not come."""
    async for _ in request.content.iter_any():
        pass


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


async def _receive_one(request: web.Request, folder: Path, room: _Room, keep: bool) -> Upload:
    chunks = request.content.iter_any()
    head = await _head(chunks)
    # A merge of what is stored already sends its list alone; some clients send any document as JSON.
    if request.content_type in _JSON and _looks_like_json(head):
        return Upload(options=await _options(head, chunks, room))
    upload = Upload()
    path = folder / "upload-0"
    if await _save(head, chunks, path if keep else None, upload.source, room):
        upload.documents.append(Document(path, ""))
    return upload


async def _receive_parts(request: web.Request, folder: Path, room: _Room, keep: bool) -> Upload:
    upload = Upload()
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise ApiError(400, "Parts inside of parts are not expected.", "errorInvalidRequest")
        kind = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        chunks = _chunks(part)
        head = await _head(chunks)
        if kind in _JSON or (not part.filename and _looks_like_json(head)):
            upload.options |= await _options(head, chunks, room)
            continue
        path = folder / f"upload-{len(upload.documents)}"
        size = await _save(head, chunks, path if keep else None, upload.source, room)
        if size or part.filename:
            upload.documents.append(Document(path, _text(part.filename or "")))
    return upload


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        yield chunk


async def _head(chunks: AsyncIterator[bytes]) -> bytes:
    """Read enough to tell what it is."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= 64:
            break
    return head


async def _options(head: bytes, chunks: AsyncIterator[bytes], room: _Room) -> dict[str, Any]:
    room.take(len(head))
    text = bytearray(head)
    async for chunk in chunks:
        room.take(len(chunk))
        text += chunk
        if len(text) > _LARGEST_OPTIONS:
            raise ApiError(413, "The options are too large.", "errorTooLarge")
    return parse_options(text.decode("utf-8", "replace"))


async def _save(head: bytes, chunks: AsyncIterator[bytes], path: Path | None, source: Source, room: _Room) -> int:
    room.take(len(head))
    with _Sink(path, source) as sink:
        sink.write(head)
        async for chunk in chunks:
            room.take(len(chunk))
            sink.write(chunk)
        return sink.size


def _text(name: str) -> str:
    """Give a name that can be sent back: aiohttp keeps bytes that are no UTF-8 as surrogates."""
    return name.encode("utf-8", "replace").decode()


def _looks_like_json(head: bytes) -> bool:
    return head[:64].lstrip()[:1] == b"{"


class Base64Field:
    """
    Takes a JSON object in chunks and decodes one text of it into a sink; the rest is read when all has come.

    :param key: the text's key at the top level, in lower case; on the wire it may be in any case.
    :param sink: takes the decoded bytes.
    """

    def __init__(self, key: str, sink: Callable[[bytes], object]) -> None:
        self._key = key
        self._sink = sink
        self._rest = bytearray()
        # Where the last text in it begins: nothing before that is looked at twice.
        self._last_text = 0
        self._pending = b""
        self._at = 0
        self._base64 = bytearray()
        self._depth = 0
        self._mode: Callable[[], bool] = self._outside
        self.found = False

    def feed(self, chunk: bytes) -> None:
        """
        Take the next chunk.

        :param chunk: some bytes of the body.
        """
        self._pending = self._pending[self._at :] + chunk
        self._at = 0
        while self._mode():
            pass
        if len(self._rest) > _LARGEST_REST:
            raise ValueError("the JSON is too large apart from the document")

    def close(self) -> dict[str, Any]:
        """
        Give the rest of the object, with an empty text in the document's place.

        :return: the object, with its keys in lower case.
        """
        self._keep(len(self._pending))
        if self._base64:
            raise ValueError("the document's base64 is cut short")
        rest = json.loads(self._rest)
        if not isinstance(rest, dict):
            raise ValueError("the JSON is not an object")
        return {name.lower(): value for name, value in rest.items()}

    def _outside(self) -> bool:
        match = _OUTSIDE.search(self._pending, self._at)
        if not match:
            self._keep(len(self._pending))
            return False
        mark = match[0]
        self._keep(match.end())
        self._depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(mark, 0)
        if mark == b'"':
            self._mode = self._document if self._is_document() else self._text
            self._last_text = len(self._rest)
        return True

    def _text(self) -> bool:
        match = _INSIDE.search(self._pending, self._at)
        if not match:
            self._keep(len(self._pending))
            return False
        if match[0] == b'"':
            self._keep(match.end())
            self._mode = self._outside
            return True
        if len(self._pending) < match.end() + 1:
            return False
        self._keep(match.end() + 1)
        return True

    def _document(self) -> bool:
        # Two plain searches: a pattern takes ten times as long, and this is where all of the bytes go by.
        # The escape comes first, for where there are many: a quote is looked for no further than up to the next one.
        escape = self._pending.find(b"\\", self._at)
        end = len(self._pending) if escape < 0 else escape
        quote = self._pending.find(b'"', self._at, end)
        if quote >= 0:
            end = quote
        self._decode(self._pending[self._at : end])
        self._at = end
        if end == len(self._pending):
            return False
        if quote < 0:
            return self._escape()
        self._keep(end + 1)
        self._mode = self._outside
        return True

    def _escape(self) -> bool:
        # .NET writes + as \u002B, PHP writes / as \/.
        size = 6 if self._pending[self._at + 1 : self._at + 2] == b"u" else 2
        escape = self._pending[self._at : self._at + size]
        if len(escape) < size:
            return False
        self._at += size
        self._decode(bytes([int(escape[2:], 16) & 0x7F]) if size == 6 else _ESCAPES.get(escape[1:], b"?"))
        return True

    def _is_document(self) -> bool:
        if self.found or self._depth != 1:
            return False
        name = _COLON.fullmatch(self._rest, self._last_text, len(self._rest) - 1)
        self.found = name is not None and name[1].decode("utf-8", "replace").lower() == self._key
        return self.found

    def _keep(self, end: int) -> None:
        self._rest += self._pending[self._at : end]
        self._at = end

    def _decode(self, text: bytes) -> None:
        self._base64 += text.translate(None, b" \r\n\t")
        whole = len(self._base64) // 4 * 4
        if whole:
            try:
                self._sink(binascii.a2b_base64(self._base64[:whole], strict_mode=True))
            except binascii.Error as error:
                raise ValueError(f"the document's base64 is wrong: {error}") from error
            del self._base64[:whole]
