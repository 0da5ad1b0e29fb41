"""What the services have in common on the wire."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from docconv_sandbox import formats
from docconv_sandbox.errors import ApiError


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
    """Read a whole number that is not negative.

    :param text: the number
    :param name: what to call it in the error
    :param default: the number where there is no text
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
    """Send an operation's id, quoted or not as the request accepts it.

    :param request: the request
    :param id: the id
    :param status: the HTTP status
    :param default: the media type where the request does not say
    """
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "*/*").split(",")]
    kind = default
    if "*/*" not in accepted:
        kind = next((found for found in accepted if found in {"application/json", "text/plain"}), default)
    text = json.dumps(id) if kind == "application/json" else id
    return web.Response(text=text, status=status, content_type=kind, charset="utf-8")


class _AsItIs(web.FileResponse):
    """A file from disk. aiohttp would send the ``name.gz`` beside it, which here is a file of its own."""

    def _get_file_path_stat_encoding(self, accept_encoding: str) -> Any:
        return super()._get_file_path_stat_encoding("")


def file_response(path: Path, name: str) -> web.FileResponse:
    """Send a file from disk.

    :param path: the file
    :param name: the name the caller is told
    """
    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_")
    plain = "".join(character if character.isprintable() else "_" for character in plain)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return _AsItIs(
        path,
        headers={"Content-Disposition": disposition, "Content-Type": formats.media_type(path)},
    )
