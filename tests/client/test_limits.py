"""Nothing that a server sends takes more memory or time than it is given, or raises what nobody expects."""

from __future__ import annotations

import asyncio
import gzip
import logging
import resource
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.session import forget_sessions
from airflow_provider_docconv.services.errors import (
    DocConvError,
    ServiceUnavailable,
    StartReplyLost,
    TruncatedResult,
    UnexpectedReply,
)
from airflow_provider_docconv.services.http import Token
from tests.support.clients import EitherClient, MakeClient, settings_for
from tests.support.flows import document
from tests.support.hostile import Answer, Hostile

RUNNING = Answer({"status": "Started"})
MIB = 1 << 20


def start(client: EitherClient, content: bytes = b"AT&TFORM") -> Any:
    return client.run(client.service.start(document(content, "scan.djvu"), "pdf", {}))


def chunked_mebibytes(head: bytes, count: int) -> Any:
    def pieces() -> Iterator[bytes]:
        yield head + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(count):
            yield b"100000\r\n" + bytes(MIB) + b"\r\n"
        yield b"0\r\n\r\n"

    return pieces


def test_the_body_of_a_redirect_is_not_kept(make_client: MakeClient) -> None:
    endless = Answer(raw=chunked_mebibytes(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n", 300))
    with Hostile(endless) as server:
        client = make_client(server.url)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(UnexpectedReply, match="more than 8 MiB"):
            client.status()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 << 10  # In KiB.


BAD_LOCATIONS = [
    b"http://[bad",
    b"http://127.0.0.1:99999999/",
    b"http://127.0.0.1:abc/",
    b"/\xff\xfe",
    b"http://\xed\xb3\xbf",
    b"",
    b"//",
    b"javascript:alert(1)",
]


@pytest.mark.parametrize("location", BAD_LOCATIONS)
@pytest.mark.parametrize("what", ["status", "start"])
def test_the_target_of_a_redirect_is_not_read(make_client: MakeClient, location: bytes, what: str) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with Hostile(Answer(raw=head)) as server:
        client = make_client(server.url)
        with pytest.raises(ServiceUnavailable, match="redirected the request"):
            start(client) if what == "start" else client.status()


ODD = {
    "negative chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "no chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "status": b"HTTP/1.1 99999999999999999999 X\r\n\r\n",
    "headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "no header": b"HTTP/1.1 200 OK\r\n\xff\xfe\xfd\r\n\r\n",
    "bytes": bytes(range(256)) * 10,
}


@pytest.mark.parametrize("raw", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("what", ["status", "start"])
def test_odd_replies_raise_only_our_errors(make_client: MakeClient, raw: bytes, what: str) -> None:
    with Hostile(Answer(raw=raw)) as server:
        client = make_client(server.url, read_timeout=3.0)
        with pytest.raises(DocConvError) as raised:
            start(client) if what == "start" else client.status()
        assert isinstance(raised.value, StartReplyLost) == (what == "start")
        if what == "start":
            assert len(server.calls) == 1


@pytest.mark.parametrize("raw", ODD.values(), ids=list(ODD))
def test_odd_results_raise_only_our_errors(raw: bytes) -> None:
    with Hostile(Answer(raw=raw)) as server:
        client = Client(settings_for(server.url, read_timeout=3.0))
        [file] = client.run(client.service.results("op-1"))
        with pytest.raises(DocConvError), client.open_result(file) as (_, chunks):
            list(chunks)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, gzip"])
def test_a_bomb_in_a_small_reply(make_client: MakeClient, coding: str) -> None:
    bomb = gzip.compress(bytes(256 * MIB))
    with Hostile(Answer(bomb, headers={"Content-Encoding": coding})) as server:
        client = make_client(server.url)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises((UnexpectedReply, ServiceUnavailable)):
            client.status()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("coding", ["gzip", "GZIP ", "identity"])
def test_a_small_reply_may_be_coded(make_client: MakeClient, coding: str) -> None:
    body = b'{"status": "Started"}'
    body = body if coding == "identity" else gzip.compress(body)
    with Hostile(Answer(body, headers={"Content-Encoding": coding})) as server:
        assert make_client(server.url).status().vendor_status == "Started"


# --- Time ---


def trickling_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(3000):
        time.sleep(0.1)
        yield f"X-{number}: y\r\n".encode()


TRICKLES = {
    "body": Answer({"status": "Started", "more": "x" * 3000}, pause=0.1),
    "headers": Answer(raw=trickling_headers),
}


@pytest.mark.parametrize("answer", TRICKLES.values(), ids=list(TRICKLES))
def test_a_small_reply_that_trickles_is_not_waited_for(make_client: MakeClient, answer: Answer) -> None:
    with Hostile(answer, RUNNING) as server:
        client = make_client(server.url, read_timeout=0.5, connect_timeout=0.5)
        assert client.status().vendor_status == "Started"
        assert server.trickled == 0
        assert len(server.calls) == 2


def test_a_start_whose_reply_trickles_may_have_begun(make_client: MakeClient) -> None:
    with Hostile(TRICKLES["body"]) as server:
        client = make_client(server.url, read_timeout=0.5, connect_timeout=0.5)
        with pytest.raises(StartReplyLost, match="took too long"):
            start(client)
        assert len(server.calls) == 1


@pytest.mark.parametrize("answer", TRICKLES.values(), ids=list(TRICKLES))
def test_the_callers_time_bounds_a_call(make_client: MakeClient, answer: Answer) -> None:
    with Hostile(answer) as server:
        client = make_client(server.url)
        began = time.time()
        with pytest.raises(ServiceUnavailable, match="did not reply in time"):
            client.run(client.service.status("op-1"), until=began + 0.5)
        assert server.trickled == 0


def test_the_callers_time_bounds_a_login(make_client: MakeClient) -> None:
    with Hostile(RUNNING, logins=[Answer(fault="hang")]) as server:
        client = make_client(server.url, read_timeout=2.0)
        began = time.time()
        with pytest.raises(ServiceUnavailable, match="did not reply in time"):
            client.run(client.service.status("op-1"), until=began + 0.3)


@pytest.mark.parametrize("length", [3008, -1])
def test_the_callers_time_bounds_a_result(length: int) -> None:
    pdf = b"%PDF-1.7" + bytes(3000)
    with Hostile(Answer(pdf, length=length, pause=0.1)) as server:
        client = Client(settings_for(server.url))
        [file] = client.run(client.service.results("op-1"))
        began = time.time()
        with (
            pytest.raises(TruncatedResult, match="the time is up"),
            client.open_result(file, until=began + 0.5) as (_, chunks),
        ):
            list(chunks)
        assert server.trickled == 0


def test_the_callers_time_does_not_make_a_start_ambiguous(make_client: MakeClient) -> None:
    slow = Answer(b"op-1", 201, pause=0.2)
    with Hostile(slow) as server:
        client = make_client(server.url)
        flow = client.service.start(document(b"AT&TFORM", "scan.djvu"), "pdf", {})
        assert client.run(flow, until=time.time() + 0.3).operation_id == "op-1"


def test_a_connection_that_was_kept_is_watched_too() -> None:
    with Hostile(RUNNING, TRICKLES["body"]) as server:
        client = Client(settings_for(server.url))
        client.run(client.service.status("op-1"))
        began = time.time()
        with pytest.raises(ServiceUnavailable, match="did not reply in time"):
            client.run(client.service.status("op-1"), until=began + 0.5)
        assert server.trickled == 0


# --- Secrets ---

PROXIES = [
    "http://user:pa55word@127.0.0.1:9",
    "http://user:pa55#word@127.0.0.1:9",
    "http://user:pa55/word@127.0.0.1:9",
    "http://user:pa55?word@127.0.0.1:9",
    "user:pa55@word@127.0.0.1:x",
    "http://user:pa55word@127.0.0.1:99999",
    "http://user:pa55word@no.such.host.invalid:3128",
]


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
def test_no_error_shows_the_proxys_password(kind: str, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    forget_sessions()
    settings = settings_for("http://api.example.invalid:8080", connect_timeout=1.0, read_timeout=1.0)

    async def ask() -> None:
        async with shared_async_client(settings) as client:
            client._session._token = Token("t", 1e12)
            await client.run(client.service.status("op-1"))

    client = Client(settings)
    calls = {"blocking": lambda: client.run(client.service.status("op-1")), "asynchronous": lambda: asyncio.run(ask())}
    with pytest.raises(DocConvError) as raised:
        calls[kind]()
    chain: BaseException | None = raised.value
    while chain:
        assert "pa55" not in f"{chain!r}{chain}"
        chain = chain.__cause__


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://api.example.com", True),
        ("http://10.0.0.1:8080", True),
        ("https://api.example.com", False),
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("http://localhost:8080", False),
        ("no address at all", False),
    ],
)
def test_plain_http_to_another_machine_is_warned_about_once(
    url: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    forget_sessions()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            Client(settings_for(url, conn_id="docs"))
    found = [record.getMessage() for record in caplog.records if "unencrypted" in record.getMessage()]
    assert len(found) == warned
    assert all("'docs'" in text for text in found)


def test_the_token_endpoint_counts_too(caplog: pytest.LogCaptureFixture) -> None:
    forget_sessions()
    with caplog.at_level(logging.WARNING):
        Client(settings_for("https://api.example.com", auth_url="http://login.example.com/token"))
    assert "login.example.com unencrypted" in caplog.text
