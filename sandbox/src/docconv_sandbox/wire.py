"""What the services have in common on the wire."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from docconv_sandbox import formats
from docconv_sandbox.account import Entry
from docconv_sandbox.echo import Echo
from docconv_sandbox.errors import ApiError
from docconv_sandbox.faults import Fault

_CHUNK = 1 << 18


@dataclass(slots=True)
class Call:
    """
    The call that is being answered.

    :param fault: what it is to meet.
    :param told: the operation of whose end the reply tells.
    """

    fault: Fault | None
    told: Entry | None = None


#: The call that this task answers.
CALL: ContextVar[Call] = ContextVar("call")


def query(request: web.Request) -> dict[str, str]:
    """Give the query with its names in lower case: the vendors' servers do not tell cases apart."""
    return {name.lower(): value for name, value in request.query.items()}


async def text(request: web.Request) -> str:
    """Read a small body as text, whatever is in it."""
    return (await request.read()).decode("utf-8", "replace")


def truth(text: str) -> bool:
    """Read a boolean; Python clients send ``True``, others ``true``."""
    return text.strip().lower() == "true"


def ensure_whole(text: str | None, name: str, default: int = 0) -> int:
    """
    Read a whole number that is not negative.

    :param text: the number.
    :param name: what to call it in the error.
    :param default: the number where there is no text.
    """
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ApiError(400, f"Invalid value for {name}: {text[:80]}.", "errorInvalidParameter")
    return int(text)


def stamp(time: datetime) -> str:
    """Write a time as .NET does, with seven digits of a second."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}0Z"


def identifier(request: web.Request, id: str, status: int, *, default: str) -> web.Response:
    """
    Send an operation's id, quoted or not as the request accepts it.

    :param request: the request.
    :param id: the id.
    :param status: the HTTP status.
    :param default: the media type where the request does not say.
    """
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "*/*").split(",")]
    kind = default
    if "*/*" not in accepted:
        kind = next((found for found in accepted if found in {"application/json", "text/plain"}), default)
    text = json.dumps(id) if kind == "application/json" else id
    return web.Response(text=text, status=status, content_type=kind, charset="utf-8")


class Streamed(web.StreamResponse):
    """
    A reply of any size that is made while it is sent.

    :param pieces: gives its bytes.
    :param size: its length, None if it is not known.
    :param headers: its headers.
    """

    def __init__(self, pieces: Callable[[], Iterable[bytes]], size: int | None, headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self.pieces = pieces
        self.content_length = size

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Send it."""
        writer = await super().prepare(request)
        if request.method != "HEAD":
            for piece in self.pieces():
                await self.write(piece)
        return writer


class _AsItIs(web.FileResponse):
    """A file from disk. aiohttp would send the ``name.gz`` beside it, which here is a file of its own."""

    def __init__(self, path: Path, headers: Mapping[str, str]) -> None:
        super().__init__(path, headers=headers)
        self.file = path

    def _get_file_path_stat_encoding(self, accept_encoding: str) -> Any:
        return super()._get_file_path_stat_encoding("")


def result_response(result: Path | Echo, name: str) -> web.StreamResponse:
    """
    Send a file from disk, or a result that is computed.

    :param result: what to send.
    :param name: the name the caller is told.
    """
    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_")
    plain = "".join(character if character.isprintable() else "_" for character in plain)
    headers = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}
    if isinstance(result, Echo):
        return Streamed(result.pieces, result.size, headers | {"Content-Type": formats.media_type(Path(name))})
    return _AsItIs(result, headers | {"Content-Type": formats.media_type(result)})


def is_gone(request: web.BaseRequest) -> bool:
    """Tell whether nobody would hear a reply."""
    return request.transport is None or request.transport.is_closing()


def reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection instead of replying."""
    transport = request.transport
    if transport is not None:
        # Closed with this, the kernel sends a RST and not a FIN.
        at_once = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport.abort()
    return web.Response()


async def cut_short(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Send the first half of a reply and close the connection, as if the rest were still to come."""
    if isinstance(response, _AsItIs):
        size = response.file.stat().st_size
        body: Iterable[bytes] = _read(response.file, size // 2)
    elif isinstance(response, Streamed):
        # Where the length is not known, the end of the chunks is missing.
        size = response.content_length or 0
        body = _first(response.pieces(), size // 2) if size else islice(response.pieces(), 1)
    else:
        whole = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
        size, body = len(whole), [whole[: len(whole) // 2]]
    headers = {
        name: response.headers[name] for name in ("Content-Type", "Content-Disposition") if name in response.headers
    }
    cut = web.StreamResponse(status=response.status, headers=headers)
    if size:
        cut.content_length = size
    cut.force_close()
    await cut.prepare(request)
    for piece in body:
        await cut.write(piece)
    if not size and request.transport is not None:
        request.transport.close()
    return cut


def _first(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return


def _read(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(size, _CHUNK))):
            size -= len(piece)
            yield piece
