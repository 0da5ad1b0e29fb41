"""A way to a store that permits reading only: rclone and fake-gcs-server have no permissions of their own."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What the real ones answer, in their own forms.
S3_DENIES = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
GOOGLE_DENIES = (
    b'{"error": {"code": 403, "message": "reader@docconv does not have storage.objects.create access to the Google'
    b' Cloud Storage object.", "errors": [{"domain": "global", "reason": "forbidden", "message": "denied"}]}}'
)


@contextmanager
def gate(url: str, denial: bytes) -> Iterator[str]:
    """
    Pass on what reads, and answer everything else with HTTP 403.

    :param url: the store
    :param denial: the body of that answer
    """

    class Handler(BaseHTTPRequestHandler):
        def read(self) -> None:
            upstream = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
            # With the Host as it came: it is part of what was signed.
            upstream.request(self.command, self.path, headers=dict(self.headers))
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

        def deny(self) -> None:
            # Who asked whether to send the body is told no, and sends none.
            if "Expect" not in self.headers:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.send_header("Content-Type", "application/xml" if denial.startswith(b"<") else "application/json")
            self.send_header("Content-Length", str(len(denial)))
            self.end_headers()
            self.wfile.write(denial)

        def log_message(self, *_: object) -> None:
            pass

        do_GET = do_HEAD = read
        do_PUT = do_POST = do_DELETE = deny

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
