"""A service that takes and gives documents of any size in all three protocols, and holds none of them in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

#: What a source begins with instead, so that every service takes it.
DJVU = b"AT&TFORM"
_HEAD, _TAIL = b"%PDF-1.7\n", b"%%EOF\n"
# A multiple of three bytes, so that the base64 of the pieces is that of the whole.
_PIECE = 3 << 18
_FILLER = random.Random(1).randbytes(_PIECE)  # noqa: S311 - no secret
_READ = 1 << 20


def document(size: int) -> Iterator[bytes]:
    """
    Make a document, piece by piece.

    :param size: its length in bytes
    """
    yield from (_document(size, at) for at in range(0, size, _PIECE))


def digest(size: int) -> str:
    """Return a document's SHA-256, in hexadecimal."""
    found = hashlib.sha256()
    for piece in document(size):
        found.update(piece)
    return found.hexdigest()


def _document(size: int, at: int) -> bytes:
    if at and at + _PIECE <= size - len(_TAIL):
        return _FILLER
    head, tail = (b"" if at else _HEAD), (_TAIL if at + _PIECE >= size else b"")
    return head + _FILLER[len(head) : min(_PIECE, size - at) - len(tail)] + tail


def _encoded(size: int) -> Iterator[bytes]:
    middle = _base64(_FILLER)
    for piece in document(size):
        yield middle if piece is _FILLER else _base64(piece)


def _base64(piece: bytes) -> bytes:
    # As .NET writes it.
    return base64.b64encode(piece).replace(b"+", b"\\u002B")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise the body of a short reply waits 40 ms for the acknowledgement of its headers.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Log in or take a document; its operation is its length."""
        received = self._receive()
        if self.path == "/connect/token":
            self._json({"access_token": "token", "expires_in": 3600, "token_type": "Bearer"})
        else:
            self._send(str(received).encode(), "text/plain", 201)

    do_PUT = do_POST

    def do_GET(self) -> None:
        """Give the result of an operation, whose id is the result's length, or its status."""
        url = urlsplit(self.path)
        given = parse_qs(url.query).get("id", [""])[0] or url.path.split("/")[-2]
        if url.path == "/v2.0/conversion/async":
            self._json({"id": given, "status": "Finished", "method": "Convert", "result": [], "createdTime": ""})
        elif url.path == "/v5.0/ocr/DjVu2PDF":
            begin, end = b'{"taskStatus":"Completed","results":[{"type":"Pdf","data":"', b'"}]}'
            self._stream((begin, *_encoded(int(given)), end), "application/json", None)
        else:
            self._stream(document(int(given)), "application/pdf", int(given))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _receive(self) -> int:
        left = length = int(self.headers.get("Content-Length", 0))
        place = memoryview(bytearray(_READ))
        while left and (count := self.rfile.readinto(place[: min(left, _READ)])):
            left -= count
        return length - left

    def _json(self, value: object) -> None:
        self._send(json.dumps(value).encode(), "application/json", 200)

    def _send(self, body: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, pieces: Iterator[bytes] | tuple[bytes, ...], kind: str, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        for piece in pieces:
            if length is None:
                self.wfile.write(b"%x\r\n" % len(piece))
            self.wfile.write(piece)
            if length is None:
                self.wfile.write(b"\r\n")
        if length is None:
            self.wfile.write(b"0\r\n\r\n")


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler)
    print("Listening", flush=True)
    server.serve_forever()
