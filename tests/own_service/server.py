"""A small server that speaks the protocol of the toy service."""

from __future__ import annotations

import html
import json
import threading
from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "the-key-of-the-toy"


class ToyServer:
    """
    The server, a context.

    :param polls: how often a job is asked for before it is done
    """

    def __init__(self, polls: int = 2) -> None:
        self.polls = polls
        self.jobs: dict[str, dict[str, Any]] = {}
        self.starts: Counter[str] = Counter()
        self.lock = threading.Lock()
        toy = self

        class Handler(_Handler):
            server_of_jobs = toy

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> ToyServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def start(self, query: dict[str, str], name: str, content: bytes) -> str:
        with self.lock:
            job = f"job-{len(self.jobs) + 1}"
            self.jobs[job] = {"polls": 0, "query": query, "content": content, "stopped": False}
            self.starts[name] += 1
            return job

    def state(self, job: dict[str, Any]) -> dict[str, str]:
        if job["stopped"]:
            return {"state": "stopped"}
        job["polls"] += 1
        if job["polls"] <= self.polls:
            return {"state": "waiting" if job["polls"] == 1 else "working"}
        if b"\0" in job["content"]:
            return {"state": "broken", "why": "The text has a NUL in it."}
        return {"state": "done"}

    def result(self, job: dict[str, Any]) -> bytes:
        title = html.escape(job["query"].get("title", ""))
        text = html.escape(job["content"].decode())
        return f"<!doctype html><title>{title}</title><pre>{text}</pre>".encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_jobs: ToyServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_allowed():
            return
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        [part] = message_from_bytes(head + body, policy=policy.HTTP).iter_parts()
        query = dict(parse_qsl(urlsplit(self.path).query))
        content = part.get_payload(decode=True)
        if content.startswith(b"REFUSE"):
            self._send(422, {"code": "T22", "message": "This text may not be converted."})
            return
        self._send(201, {"job": self.server_of_jobs.start(query, part.get_filename(), content)})

    def do_GET(self) -> None:
        if (job := self._job()) is None:
            return
        if self.path.endswith("/result"):
            self._send(200, self.server_of_jobs.result(job), {"Content-Disposition": 'attachment; filename="x.html"'})
        else:
            self._send(200, self.server_of_jobs.state(job))

    def do_DELETE(self) -> None:
        if job := self._job():
            job["stopped"] = True
            self._send(200, {})

    def _job(self) -> dict[str, Any] | None:
        if not self._is_allowed():
            return None
        job = self.server_of_jobs.jobs.get(self.path.split("/")[2])
        if job is None:
            self._send(404, {"code": "T04", "message": "There is no such job."})
        return job

    def _is_allowed(self) -> bool:
        if self.headers.get("X-Toy-Key") == KEY and "Authorization" not in self.headers:
            return True
        self._send(401, {"code": "T01", "message": f"The key {self.headers.get('X-Toy-Key')} is wrong."})
        return False

    def _send(self, status: int, content: dict[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
