"""
Proxies: one that lets a store be read only, and one as companies have it, which answers by itself now and then.

rclone and fake-gcs-server have no permissions of their own.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What the real ones answer, in their own forms.
S3_DENIES = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
GOOGLE_DENIES = (
    b'{"error": {"code": 403, "message": "reader@docconv does not have storage.objects.create access to the Google'
    b' Cloud Storage object.", "errors": [{"domain": "global", "reason": "forbidden", "message": "denied"}]}}'
)


@contextmanager
def gate(url: str, denial: bytes, *denied: str) -> Iterator[str]:
    """
    Pass on what is permitted, and answer everything else with HTTP 403.

    :param url: the store
    :param denial: the body of that answer
    :param denied: the methods that are not permitted, all but those that read if none is given
    """

    class Handler(_Handler):
        def decide(self) -> None:
            if self.command not in (denied or ("PUT", "POST", "DELETE")):
                self.pass_on(url, self.path)
                return
            # Who asked whether to send the body is told no, and sends none.
            if "Expect" not in self.headers:
                self.body()
            kind = "application/xml" if denial.startswith(b"<") else "application/json"
            self.answer(403, {"Content-Type": kind}, denial)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = decide

    with _serving(Handler) as address:
        yield address


@dataclass
class Interruption:
    """
    What a proxy answers instead of a server, for some seconds from the first call of a kind on.

    :param server: the server that is behind it
    :param call: ``login``, ``start``, ``status`` or ``result``, of Aspose.Slides
    :param status: the HTTP status
    :param headers: the headers
    :param body: the body
    :param seconds: for how long
    """

    server: str
    call: str
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 2.0
    #: How many calls it has answered.
    count: int = 0
    _until: float | None = field(default=None, init=False)

    def answers(self, call: str) -> bool:
        """Tell whether it answers a call that comes now."""
        if call != self.call:
            return False
        self._until = self._until or time.monotonic() + self.seconds
        interrupts = time.monotonic() < self._until
        self.count += interrupts
        return interrupts


@contextmanager
def forward_proxy(hosts: dict[str, Interruption]) -> Iterator[str]:
    """
    Pass on requests to hosts that only the proxy knows, with interruptions.

    :param hosts: what happens to the calls to each host; may grow meanwhile
    """

    class Handler(_Handler):
        def forward(self) -> None:
            target = urlsplit(self.path)
            interruption = hosts.get(str(target.hostname))
            if interruption is None:
                self.body()
                self.answer(502, {"Content-Type": "text/plain"}, b"no such host")
            elif interruption.answers(_call(self.command, target.path)):
                self.body()
                self.answer(interruption.status, interruption.headers, interruption.body)
            else:
                self.pass_on(interruption.server, target._replace(scheme="", netloc="").geturl())

        do_GET = do_PUT = do_POST = do_DELETE = forward

    with _serving(Handler) as address:
        yield address


def _call(method: str, path: str) -> str:
    if path.endswith("/connect/token"):
        return "login"
    if method in ("POST", "PUT"):
        return "start"
    return "result" if path.endswith("/result") else "status"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_expect_100(self) -> bool:
        return True  # Not before it is decided whether the body is wanted.

    def body(self) -> bytes:
        if "Expect" in self.headers:
            self.send_response_only(100)
            self.end_headers()
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def pass_on(self, server: str, path: str) -> None:
        upstream = http.client.HTTPConnection(urlsplit(server).netloc, timeout=30)
        # With the Host as it came: it is part of what was signed.
        upstream.request(self.command, path, self.body(), headers=dict(self.headers))
        reply = upstream.getresponse()
        body = reply.read()
        left_out = ("transfer-encoding", "connection")
        headers = {name: value for name, value in reply.getheaders() if name.lower() not in left_out}
        self.answer(reply.status, headers, body)
        upstream.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
