"""Which requests are sent again, and which never."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.exchange import (
    Acquire,
    Effect,
    Exchange,
    Failure,
    Fault,
    LogIn,
    Send,
    Sleep,
    run_flow,
)
from airflow_provider_docconv.client.session import Session
from airflow_provider_docconv.services.errors import (
    DocConvError,
    InvalidOptions,
    ServiceUnavailable,
    SourceNotFound,
    StartReplyLost,
)
from airflow_provider_docconv.services.http import Reply, Token
from tests.support.clients import SECRET, EitherClient, MakeClient, settings_for
from tests.support.flows import document
from tests.support.hostile import Answer, Hostile, dead_url
from tests.support.replies import VENDORS

STARTED = Answer(b"op-1", 201)
RUNNING = Answer({"status": "Started", "taskStatus": "Processing"})
# The service may or may not have acted upon the request.
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


def start(client: EitherClient) -> str:
    return client.run(client.service.start(document(b"AT&TFORM", "scan.djvu"), "pdf", {})).operation_id


@pytest.mark.parametrize("service", VENDORS)
@pytest.mark.parametrize("fault", LOST.values(), ids=list(LOST))
def test_a_start_whose_reply_is_lost_is_sent_once(make_client: MakeClient, service: str, fault: Answer) -> None:
    with Hostile(fault, STARTED) as server:
        with pytest.raises(StartReplyLost) as raised:
            start(make_client(server.url, service, read_timeout=0.3))
        assert len(server.calls) == 1
    assert VENDORS[service].label in str(raised.value)
    assert not raised.value.retryable


@pytest.mark.parametrize("fault", NOT_DONE.values(), ids=list(NOT_DONE))
def test_a_start_that_was_not_done_is_sent_again_whole(make_client: MakeClient, fault: Answer) -> None:
    with Hostile(fault, fault, STARTED) as server:
        assert start(make_client(server.url)) == "op-1"
        assert len({call.body for call in server.calls}) == 1
        assert len(server.calls) == 3
        assert b"AT&TFORM" in server.calls[-1].body


@pytest.mark.parametrize("fault", [*LOST.values(), *NOT_DONE.values()], ids=[*LOST, *NOT_DONE])
def test_a_question_is_asked_again(make_client: MakeClient, fault: Answer) -> None:
    with Hostile(fault, fault, RUNNING) as server:
        assert make_client(server.url, read_timeout=0.3).status().vendor_status == "Started"
        assert len(server.calls) == 3


@pytest.mark.parametrize("fault", [Answer(fault="close"), Answer(b"", 503)], ids=["lost", "503"])
def test_it_is_asked_four_times_at_most(make_client: MakeClient, fault: Answer) -> None:
    with Hostile(fault) as server:
        with pytest.raises(ServiceUnavailable) as raised:
            make_client(server.url).status()
        assert len(server.calls) == 4
    assert raised.value.retryable


@pytest.mark.parametrize("status", [400, 403, 409, 501])
def test_an_answer_is_an_answer(make_client: MakeClient, status: int) -> None:
    with Hostile(Answer({"message": "No way."}, status)) as server:
        for ask in (start, EitherClient.status):
            with pytest.raises(DocConvError, match="No way"):
                ask(make_client(server.url))
        assert len(server.calls) == 2


def test_an_upload_and_a_cancel_may_be_repeated(make_client: MakeClient) -> None:
    uploaded = Answer({"uploaded": ["a"]})
    with Hostile(Answer(fault="close"), uploaded, STARTED) as server:
        client = make_client(server.url, "groupdocs_conversion")
        flow = client.service.start(document(), "pdf", {"password": "x"})
        assert client.run(flow).operation_id == "op-1"
        assert [call.method for call in server.calls] == ["PUT", "PUT", "POST"]
    with Hostile(Answer(fault="reset"), Answer(b"")) as server:
        client = make_client(server.url, "aspose_ocr")
        assert client.run(client.service.cancel("op-1"))
        assert [call.method for call in server.calls] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("waiting", ["login", "start"])
def test_a_start_is_sent_again_after_a_refused_connection(
    make_client: MakeClient, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = dead_url()
    servers: list[Hostile] = []

    def come_up(*_: float) -> float:
        if not servers:
            servers.append(Hostile(STARTED, port=int(url.rpartition(":")[2])).__enter__())
        return 1.0

    # The delay before the second attempt is drawn at random.
    monkeypatch.setattr(random, "uniform", come_up)
    with Hostile() as login:
        values = {"auth_url": f"{login.url}/connect/token"} if waiting == "start" else {}
        assert start(make_client(url, **values)) == "op-1"
    [server] = servers
    server.__exit__()
    assert len(server.calls) == 1


@pytest.mark.parametrize("url", ["dead", "http://nowhere.invalid", "http://exa mple.com"])
def test_nobody_at_the_address(make_client: MakeClient, url: str) -> None:
    client = make_client(dead_url() if url == "dead" else url)
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


def test_a_connection_that_never_stands_is_given_up(make_client: MakeClient, full_house: str) -> None:
    with pytest.raises(ServiceUnavailable, match="can't be reached"):
        start(make_client(full_house, connect_timeout=0.1))


@pytest.mark.parametrize("silent", ["login", "status"])
def test_a_silent_service_is_given_up(make_client: MakeClient, silent: str) -> None:
    hang = Answer(fault="hang")
    with Hostile(hang, logins=[hang] if silent == "login" else []) as server:
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            make_client(server.url, read_timeout=0.1).status()
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
            return client._http.timeout

    found = asyncio.run(timeouts())
    assert (found.sock_connect, found.sock_read, found.total) == (3.0, 7.0, None)


def test_a_document_that_changes_while_it_is_sent_is_no_lost_reply(make_client: MakeClient) -> None:
    with Hostile(STARTED) as server:
        client = make_client(server.url)
        with pytest.raises(SourceNotFound, match="changed while it was read"):
            client.run(client.service.start(document(b"longer than it was", size=4), "pdf", {}))
        assert all(len(call.body) < int(call.headers["content-length"]) for call in server.calls)


TOKEN = Token("the-token", float("inf"))
BUSY = Reply(429, {"retry-after": "20"}, b"")
OK = Reply(200, {}, b'{"status": "Started"}')


def status(session: Session) -> Exchange[Any]:
    return run_flow(session.settings.service().status("op-1"), session)


def play(running: Exchange[Any], *outcomes: Any) -> list[Effect]:
    """Send these outcomes to an exchange and return what it has yielded, the answer to the last one too."""
    return [next(running), *(running.send(outcome) for outcome in outcomes)]


def kinds(effects: list[Effect]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]


@pytest.fixture
def session() -> Session:
    return Session(settings_for("http://x"))


def test_a_start_that_was_not_sent_is_sent_again_and_again(session: Session, real_delays: None) -> None:
    failure = Failure(Fault.NOT_SENT, "words")
    running = run_flow(session.settings.service().start(document(), "pdf", {}), session)
    effects = play(running, TOKEN, failure, None, failure, None, failure, None)
    assert kinds(effects) == [LogIn, Send, Sleep, Send, Sleep, Send, Sleep, Send]
    delays = [effect.seconds for effect in effects if isinstance(effect, Sleep)]
    assert delays == sorted(delays)
    with pytest.raises(ServiceUnavailable, match=r"at http://x can't be reached \(words\)"):
        running.send(failure)


def test_a_start_whose_reply_was_lost_is_not_sent_again(session: Session) -> None:
    running = run_flow(session.settings.service().start(document(), "pdf", {}), session)
    play(running, TOKEN)
    with pytest.raises(StartReplyLost):
        running.send(Failure(Fault.LOST, "words"))


def test_delays_differ_so_that_tasks_do_not_come_back_together(session: Session, real_delays: None) -> None:
    replies = (TOKEN, Reply(503, {}, b""))
    assert len({play(status(session), *replies)[-1].seconds for _ in range(20)}) > 1


@pytest.mark.parametrize(("busy", "least", "most"), [("20", 19, 20), ("3600", 59, 60)])
@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_service_makes_everybody_of_the_connection_wait(
    session: Session, real_delays: None, code: int, busy: str, least: float, most: float
) -> None:
    running = status(session)
    effects = play(running, TOKEN)
    try:
        effects.append(running.send(Reply(code, {"retry-after": busy}, b"")))
    except ServiceUnavailable:
        assert most == 60
    else:
        assert least <= effects[-1].seconds <= most
    login, pause, second_look = play(status(session), TOKEN, None)
    assert isinstance(login, LogIn)
    assert least <= second_look.seconds <= pause.seconds <= most
    assert kinds(play(status(Session(session.settings)), TOKEN)) == [LogIn, Send]


def test_a_pause_is_not_shortened(session: Session, real_delays: None) -> None:
    session.pause(30)
    session.pause(10)
    assert 29 <= session.pause_left <= 30


@pytest.mark.parametrize("fault", [Reply(503, {}, b""), Reply(502, {"retry-after": "20"}, b"")], ids=["503", "502"])
def test_a_mere_fault_makes_nobody_else_wait(session: Session, fault: Reply) -> None:
    assert kinds(play(status(session), TOKEN, fault, None)) == [LogIn, Send, Sleep, Send]
    assert kinds(play(status(session), TOKEN)) == [LogIn, Send]


def test_a_limited_connection_asks_before_each_call(real_delays: None) -> None:
    session = Session(settings_for("http://x", max_calls_per_second=2))
    effects = play(status(session), TOKEN, 0.5, None, 0.0, BUSY, None)
    assert kinds(effects) == [LogIn, Acquire, Sleep, Acquire, Send, Sleep, Sleep]
    assert effects[2] == Sleep(0.5)


def test_a_connection_without_a_limit_does_not_ask(session: Session) -> None:
    running = status(session)
    assert kinds(play(running, TOKEN)) == [LogIn, Send]
    with pytest.raises(StopIteration) as end:
        running.send(OK)
    assert end.value.value.vendor_status == "Started"


def test_no_secret_is_shown_by_an_effect(session: Session) -> None:
    login, send = play(status(session), TOKEN)
    assert "the-token" not in repr(send)
    refused = status(session)
    assert "the-token" not in repr(play(refused, TOKEN, Reply(401, {}, b""))[-1])
    assert SECRET not in repr(login)


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
def test_what_is_no_address(make_client: MakeClient, url: str, where: str) -> None:
    with pytest.raises(InvalidOptions, match="is not a valid address") as raised:
        make_client(
            **{"url": "http://127.0.0.1:9", **({"url": url} if where == "host" else {"auth_url": url})}
        ).status()
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
