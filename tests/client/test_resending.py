"""Which requests are sent again, and which never."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.retries import Attempts, Failure, Fault
from airflow_provider_docconv.services.catalog import SERVICES
from airflow_provider_docconv.services.errors import (
    DocConvError,
    InvalidOptions,
    ServiceUnavailable,
    SourceNotFound,
    StartReplyLost,
)
from tests.support.clients import Carrier, MakeCarrier, settings_for
from tests.support.flows import document, requests_of
from tests.support.hostile import Answer, Hostile, dead_url

STARTED = Answer(b"op-1", 201)
RUNNING = Answer({"status": "Started", "taskStatus": "Processing"})
# Nobody can tell whether the request was acted upon.
LOST = {
    "closed": Answer(fault="close"),
    "reset": Answer(fault="reset"),
    "silent": Answer(fault="hang"),
    "cut": Answer(b"op-", 201, length=40),
    "500": Answer(b"", 500),
    "502": Answer(b"", 502),
    "504": Answer(b"", 504),
}
NOT_DONE = {"429": Answer(b"", 429), "503": Answer(b"", 503)}


def start(carrier: Carrier) -> str:
    return carrier.run(carrier.service.start(document(b"AT&TFORM", "scan.djvu"), "pdf", {}))


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", LOST.values(), ids=list(LOST))
def test_a_start_whose_reply_is_lost_is_sent_once(carrier: MakeCarrier, service: str, fault: Answer) -> None:
    with Hostile(fault, STARTED) as server:
        with pytest.raises(StartReplyLost) as raised:
            start(carrier(server.url, service, read_timeout=0.3))
        assert len(server.calls) == 1
    assert SERVICES[service].label in str(raised.value)
    assert not raised.value.retryable


@pytest.mark.parametrize("fault", NOT_DONE.values(), ids=list(NOT_DONE))
def test_a_start_that_was_not_done_is_sent_again_whole(carrier: MakeCarrier, fault: Answer) -> None:
    with Hostile(fault, fault, STARTED) as server:
        assert start(carrier(server.url)) == "op-1"
        assert len({call.body for call in server.calls}) == 1
        assert len(server.calls) == 3
        assert b"AT&TFORM" in server.calls[-1].body


@pytest.mark.parametrize("fault", [*LOST.values(), *NOT_DONE.values()], ids=[*LOST, *NOT_DONE])
def test_a_question_is_asked_again(carrier: MakeCarrier, fault: Answer) -> None:
    with Hostile(fault, fault, RUNNING) as server:
        assert carrier(server.url, read_timeout=0.3).status().word == "Started"
        assert len(server.calls) == 3


@pytest.mark.parametrize("fault", [Answer(fault="close"), Answer(b"", 503)], ids=["lost", "503"])
def test_it_is_asked_four_times_at_most(carrier: MakeCarrier, fault: Answer) -> None:
    with Hostile(fault) as server:
        with pytest.raises(ServiceUnavailable) as raised:
            carrier(server.url).status()
        assert len(server.calls) == 4
    assert raised.value.retryable


@pytest.mark.parametrize("status", [400, 403, 409, 501])
def test_an_answer_is_an_answer(carrier: MakeCarrier, status: int) -> None:
    with Hostile(Answer({"message": "No way."}, status)) as server:
        for ask in (start, Carrier.status):
            with pytest.raises(DocConvError, match="No way"):
                ask(carrier(server.url))
        assert len(server.calls) == 2


def test_an_upload_and_a_cancel_may_be_repeated(carrier: MakeCarrier) -> None:
    uploaded = Answer({"uploaded": ["a"]})
    with Hostile(Answer(fault="close"), uploaded, STARTED) as server:
        client = carrier(server.url, "groupdocs_conversion")
        flow = client.service.start(document(), "pdf", {"password": "x"})
        assert client.run(flow) == "op-1"
        assert [call.method for call in server.calls] == ["PUT", "PUT", "POST"]
    with Hostile(Answer(fault="reset"), Answer(b"")) as server:
        client = carrier(server.url, "aspose_ocr")
        assert client.run(client.service.cancel("op-1"))
        assert [call.method for call in server.calls] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("waiting", ["login", "start"])
def test_a_start_is_sent_again_after_a_refused_connection(
    carrier: MakeCarrier, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = dead_url()
    servers: list[Hostile] = []
    backoff = Attempts._backoff

    def come_up(self: Attempts) -> float:
        if not servers:
            servers.append(Hostile(STARTED, port=int(url.rpartition(":")[2])).__enter__())
        return backoff(self)

    monkeypatch.setattr(Attempts, "_backoff", come_up)
    with Hostile() as login:
        values = {"auth_url": f"{login.url}/connect/token"} if waiting == "start" else {}
        assert start(carrier(url, **values)) == "op-1"
    [server] = servers
    server.__exit__()
    assert len(server.calls) == 1


@pytest.mark.parametrize("url", ["dead", "http://nowhere.invalid", "http://exa mple.com"])
def test_nobody_at_the_address(carrier: MakeCarrier, url: str) -> None:
    client = carrier(dead_url() if url == "dead" else url)
    with pytest.raises(ServiceUnavailable, match=r"Aspose\.Slides Cloud at http://.* can't be reached \(.+\)"):
        start(client)


@pytest.fixture
def full_house() -> Iterator[str]:
    """An address where connections are never taken: the queue of those that wait is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for each in waiting:
            each.close()


def test_a_connection_that_never_stands_is_given_up(carrier: MakeCarrier, full_house: str) -> None:
    with pytest.raises(ServiceUnavailable, match="can't be reached"):
        start(carrier(full_house, connect_timeout=0.1))


@pytest.mark.parametrize("silent", ["login", "status"])
def test_a_silent_service_is_given_up(carrier: MakeCarrier, silent: str) -> None:
    hang = Answer(fault="hang")
    with Hostile(hang, logins=[hang] if silent == "login" else []) as server:
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            carrier(server.url, read_timeout=0.1).status()
        assert len(server.logins if silent == "login" else server.calls) == 4


@pytest.mark.parametrize("call", ["login", "status", "result"])
def test_every_call_has_its_timeouts(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    request = requests.Session.request

    def watch(self: requests.Session, *args: Any, **kwargs: Any) -> requests.Response:
        given.append(kwargs.get("timeout"))
        return request(self, *args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", watch)
    with Hostile(RUNNING) as server:
        client = Client(settings_for(server.url, connect_timeout=3.0, read_timeout=7.0))
        if call == "login":
            client.log_in()
        elif call == "status":
            client.run(client.service.status("op-1"))
        else:
            with client.open_result(client.run(client.service.results("op-1"))[0]):
                pass
    assert given
    assert set(given) == {(3.0, 7.0)}


def test_the_asynchronous_session_has_its_timeouts() -> None:
    async def timeouts() -> object:
        async with shared_async_client(settings_for("http://h", connect_timeout=3.0, read_timeout=7.0)) as client:
            return client._session.timeout

    found = asyncio.run(timeouts())
    assert (found.sock_connect, found.sock_read, found.total) == (3.0, 7.0, None)


def test_a_document_that_changes_while_it_is_sent_is_no_lost_reply(carrier: MakeCarrier) -> None:
    with Hostile(STARTED) as server:
        client = carrier(server.url)
        with pytest.raises(SourceNotFound, match="changed while it was read"):
            client.run(client.service.start(document(b"longer than it was", size=4), "pdf", {}))
        assert all(len(call.body) < int(call.headers["content-length"]) for call in server.calls)


@pytest.mark.parametrize(("fault", "kind"), [(Fault.NOT_SENT, None), (Fault.LOST, StartReplyLost)])
def test_what_decides_is_how_far_the_request_came(fault: Fault, kind: type[Exception] | None) -> None:
    [request] = requests_of(SERVICES["aspose_slides"].create().start(document(), "pdf", {}))
    attempts = Attempts(request, "X", "http://x", ())
    if kind is None:
        delays: list[Any] = [attempts.after_failure(Failure(fault, "words")) for _ in range(3)]
        assert delays == sorted(delays)
        with pytest.raises(ServiceUnavailable, match=r"X at http://x can't be reached \(words\)"):
            attempts.after_failure(Failure(fault, "words"))
    else:
        with pytest.raises(kind):
            attempts.after_failure(Failure(fault, "words"))


NO_ADDRESS = [
    "http://a..b",
    f"http://{'a' * 64}.com",
    "http://[::1",
    "http://host:99999",
    "http://host:port",
    "http://user:pass@host",
    "http://host?x=1",
    "http://host#x",
    "ftp://host",
    "file:///etc/passwd",
    "http://",
    ":80",
]


@pytest.mark.parametrize("url", NO_ADDRESS)
@pytest.mark.parametrize("where", ["host", "auth_url"])
def test_what_is_no_address(carrier: MakeCarrier, url: str, where: str) -> None:
    with pytest.raises(InvalidOptions, match="is no address of a service") as raised:
        carrier(**{"url": "http://127.0.0.1:9", **({"url": url} if where == "host" else {"auth_url": url})}).status()
    assert "pass@" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("", "https://api.aspose.cloud"),
        ("gateway", "https://gateway"),
        (" http://h:80/path/ ", "http://h:80/path"),
        ("[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_addresses(host: str, base: str) -> None:
    settings = settings_for(host)
    assert (settings.base_url, settings.token_url) == (base, f"{base}/connect/token")
