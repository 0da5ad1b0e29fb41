"""A server on loopback that answers with whatever a test wants, right or wrong, over real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

HTML = b"<!DOCTYPE html><html><head><title>Sign in to the company proxy</title></head><body>?</body></html>"


@dataclass(frozen=True)
class Answer:
    """
    What the server does with a request.

    :param body: bytes are sent as they are, anything else as JSON
    :param length: the Content-Length to announce, whatever the body's; -1 announces none
    :param fault: close or reset the connection instead of answering, hang until the server ends, or answer and then
        neither go on nor close
    :param raw: sent instead of a reply, headers and all; pieces of any number, or all at once
    :param pause: seconds between the bytes of the body
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    fault: Literal["close", "reset", "hang", "stall"] | None = None
    raw: Callable[[], Iterable[bytes]] | bytes | None = None
    pause: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A request that has arrived; its body is what came of it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


TOKEN_PATH = "/connect/token"


def token(number: int, expires_in: Any = 3600) -> Answer:
    return Answer({"access_token": f"token-{number}", "expires_in": expires_in, "token_type": "Bearer"})


def date_in(seconds: float) -> str:
    """Return the HTTP date that comes so many seconds from now."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class Hostile:
    """
    The server; it runs while the context lasts.

    :param answers: one for each request, the last one for all that follow
    :param logins: the same for the token endpoint; without it every login gets a new token
    :param answer: decides instead of ``answers``
    :param tls: serves HTTPS
    :param port: the port, if it matters
    """

    def __init__(
        self,
        *answers: Answer,
        logins: Iterable[Answer] = (),
        answer: Callable[[Seen], Answer] | None = None,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self.seen: list[Seen] = []
        #: How many replies that trickle were waited for to their end.
        self.trickled = 0
        self._answers = list(answers)
        self._logins = list(logins)
        self._answer = answer
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def logins(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == TOKEN_PATH]

    @property
    def calls(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path != TOKEN_PATH]

    def _next(self, seen: Seen) -> Answer:
        with self._lock:
            self.seen.append(seen)
            if seen.path == TOKEN_PATH and not self._logins:
                return token(len(self.logins))
            if seen.path != TOKEN_PATH and self._answer:
                return self._answer(seen)
            queue = self._logins if seen.path == TOKEN_PATH else self._answers
            return queue.pop(0) if len(queue) > 1 else queue[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Replies in one packet: two would wait for each other's acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self._body(headers))
                self._reply(server._next(seen))

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def handle(self) -> None:
                # The client gave up, which is its right; or the answer has closed what it writes to.
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

            def finish(self) -> None:
                with contextlib.suppress(OSError, ValueError):  # Likewise.
                    super().finish()

            def log_message(self, *_: object) -> None:
                pass

            def _body(self, headers: dict[str, str]) -> bytes:
                if headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline() or b"0", 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _reply(self, answer: Answer) -> None:
                if answer.raw is not None:
                    for piece in [answer.raw] if isinstance(answer.raw, bytes) else answer.raw():
                        self.wfile.write(piece)
                        self.wfile.flush()
                    server.trickled += callable(answer.raw)
                    self._end()
                    return
                if answer.fault and answer.fault != "stall":
                    if answer.fault == "hang":
                        server._closing.wait()
                    if answer.fault == "reset":
                        now = struct.pack("ii", 1, 0)
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                    self._end()
                    return
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                kind = "text/html" if body == HTML else "application/json"
                length = len(body) if answer.length is None else answer.length
                headers = {"Content-Type": kind, **answer.headers}
                if length >= 0:
                    headers["Content-Length"] = str(length)
                self.send_response(answer.status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                for piece in [body] if not answer.pause else (body[n : n + 1] for n in range(len(body))):
                    self.wfile.write(piece)
                    if answer.pause:
                        self.wfile.flush()
                        server._closing.wait(answer.pause)
                if answer.pause and not server._closing.is_set():
                    server.trickled += 1
                if answer.fault == "stall":
                    self.wfile.flush()
                    server._closing.wait()
                if length != len(body):
                    self._end()

            def _end(self) -> None:
                self.close_connection = True
                self.wfile.flush()
                # The server's own closing shuts the socket down politely, which would undo a reset.
                self.rfile.close()
                self.wfile.close()
                self.connection.close()

        return Handler


def dead_url() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
