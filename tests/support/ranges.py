"""What a server answers that knows of ranges, and whose connections break."""

from __future__ import annotations

from tests.support.hostile import Answer, Seen

CONTENT = b"%PDF-1.7" + bytes(range(256)) * 20_000 + b"%%EOF"
RANGES = {"Accept-Ranges": "bytes"}


class Ranges:
    """A server that sends so many bytes at a time and breaks off, and that knows of ranges."""

    def __init__(self, content: bytes = CONTENT, step: int = 2 << 20, **headers: str) -> None:
        self.content = content
        self.headers = headers or {"ETag": '"v1"'}
        self._step = step

    def __call__(self, seen: Seen) -> Answer:
        begin, whole = 0, len(self.content)
        headers, status = {**RANGES, **self.headers}, 200
        asked, wanted = seen.headers.get("range"), seen.headers.get("if-range")
        if asked and wanted in (self.headers.get("ETag"), self.headers.get("Last-Modified")):
            begin, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            headers["Content-Range"] = f"bytes {begin}-{whole - 1}/{whole}"
        return Answer(self.content[begin : begin + self._step], status, headers, length=whole - begin)
