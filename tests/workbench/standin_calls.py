"""Calls to a stand-in over real sockets, in each service's own words."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.documents import Document
from workbench.processes import wait_until
from workbench.standin import StandIn
from workbench.standin.tokens import new_token

DECK = b"PK\x03\x04 a deck, or near enough"
SCAN = b"AT&TFORM\0\0\0\0DJVU a scan, or near enough"
LOGIN = urlencode({"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}).encode()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASYNC = "/v3.0/slides/async"
CONVERT = f"{ASYNC}/convert/pdf"
DJVU = "/v5.0/ocr/DjVu2PDF"
TASK_STATUS = "/v5.0/ocr/Utilities/GetTaskStatus"


@contextmanager
def standing_in(folder: Path, *options: str, tls: Path | None = None) -> Iterator[StandIn]:
    with StandIn(folder / "standin.log", *options, tls=tls) as standin:
        standin.wait_until_healthy()
        yield standin


def open_connection(standin: StandIn) -> http.client.HTTPConnection:
    if standin.authority:
        context = ssl.create_default_context(cafile=standin.authority)
        return http.client.HTTPSConnection("127.0.0.1", standin.port, timeout=60, context=context)
    return http.client.HTTPConnection("127.0.0.1", standin.port, timeout=60)


def ask(
    standin: StandIn, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Send a request over a connection of its own."""
    connection = open_connection(standin)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {new_token()}"} | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def log_in(port: int) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/connect/token", LOGIN, FORM)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def start(standin: StandIn, document: bytes = DECK) -> str:
    status, id = ask(standin, "POST", CONVERT, document)
    assert status == 201
    return id.decode()


def try_start(standin: StandIn, document: bytes) -> bool:
    """Start once and tell whether the reply was an operation id."""
    try:
        status, _ = ask(standin, "POST", CONVERT, document)
    except (ConnectionResetError, http.client.IncompleteRead):
        return False
    return status == 201


def status_of(standin: StandIn, id: str) -> dict[str, Any]:
    status, body = ask(standin, "GET", f"{ASYNC}/{id}")
    assert status == 200, body
    value: dict[str, Any] = json.loads(body)
    return value


def scan_body(document: bytes = SCAN) -> bytes:
    return json.dumps({"image": base64.b64encode(document).decode(), "settings": {}}).encode()


def start_scan(standin: StandIn, document: bytes = SCAN) -> str:
    status, id = ask(standin, "POST", DJVU, scan_body(document))
    assert status == 200
    return id.decode()


def try_start_scan(standin: StandIn, document: bytes) -> str:
    """Start once and return the operation id, or nothing if the reply was none."""
    with suppress(ConnectionResetError, http.client.IncompleteRead):
        status, id = ask(standin, "POST", DJVU, scan_body(document))
        if status == 200 and len(id) == 36:
            return id.decode()
    return ""


def scan(content: bytes = SCAN) -> Document:
    return Document("scan.djvu", lambda: io.BytesIO(content), len(content))


def ocr(standin: StandIn) -> Settings:
    return Settings("aspose_ocr", "id", "secret", host=standin.url)


def task(standin: StandIn, id: str, path: str = TASK_STATUS) -> dict[str, Any]:
    status, body = ask(standin, "GET", f"{path}?id={id}")
    assert status == 200, body
    value: dict[str, Any] = json.loads(body)
    return value


def sha256(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def counts(**given: Any) -> dict[str, Any]:
    """Return the account of a source: nothing but what is given."""
    nothing = {"created": 0, "lost": 0, "unexplained": 0, "canceled": 0, "polls": 0, "results": 0}
    return nothing | {"noticed_after": []} | given


def request_of(document: bytes, length: int | None = None) -> bytes:
    lines = (
        f"POST {CONVERT} HTTP/1.1",
        "Host: standin",
        f"Authorization: Bearer {new_token()}",
        f"Content-Length: {len(document) if length is None else length}",
    )
    return "\r\n".join((*lines, "", "")).encode() + document


def open_socket(standin: StandIn) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", standin.port), timeout=60)
    if not standin.authority:
        return plain
    context = ssl.create_default_context(cafile=standin.authority)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def wait_for_silence(standin: StandIn) -> dict[str, Any]:
    def silent() -> bool:
        stats = standin.stats(sources=False)
        return stats["calls"]["start"] > 0 and stats["connections"]["open"] == 0

    wait_until(silent, "The end of the connection", 30, pause=0.02)
    return standin.stats()
