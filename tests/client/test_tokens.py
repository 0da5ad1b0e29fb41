"""One token for everybody, renewed in time, and once more if it is refused."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import AuthenticationFailed, LoginUnavailable, ServiceUnavailable
from airflow_provider_docconv.services.http import read_token
from docconv_sandbox import Sandbox
from tests.support.clients import EitherClient, MakeClient, settings_for
from tests.support.flows import document, reply
from tests.support.hostile import Answer, Hostile, Seen, token
from tests.support.patience import wait_until

RUNNING = Answer({"status": "Started"})
DENIED = Answer({"error": {"message": "Token expired"}}, 401)


def only_from(number: int) -> Hostile:
    """Make a server to which tokens before this one are expired."""

    def answer(seen: Seen) -> Answer:
        return RUNNING if int(seen.headers["authorization"].rpartition("-")[2]) >= number else DENIED

    return Hostile(answer=answer)


def start(client: EitherClient, source: Document) -> str:
    return client.run(client.service.start(source, "pdf", {})).operation_id


def test_one_login_for_many_calls(make_client: MakeClient) -> None:
    with Hostile(RUNNING) as server:
        client = make_client(server.url)
        for _ in range(5):
            client.status()
    assert (len(server.logins), len(server.calls)) == (1, 5)
    assert {call.headers["authorization"] for call in server.calls} == {"Bearer token-1"}


@pytest.mark.parametrize(("refused", "logins"), [(1, 1), (2, 2)])
def test_one_login_for_many_threads(refused: int, logins: int) -> None:
    with only_from(refused) as server:
        client = Client(settings_for(server.url))
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: client.run(client.service.status("op-1")), range(24)))
    assert len(server.logins) == logins


def test_a_token_is_renewed_ahead_of_its_end(make_client: MakeClient) -> None:
    with Hostile(RUNNING, logins=[token(1, 0.001), token(2, 3600)]) as server:
        client = make_client(server.url)
        for _ in range(3):
            client.status()
    assert [call.headers["authorization"] for call in server.calls] == [
        "Bearer token-1",
        "Bearer token-2",
        "Bearer token-2",
    ]
    assert len(server.logins) == 2


@pytest.mark.parametrize(
    ("expires_in", "renewed_after"),
    [(3600, 3300), (86400, 86100), (100, 80), (1, 0.8), (None, 3300), ("soon", 3300), (0, 3300), (-5, 3300)],
)
def test_how_far_ahead(expires_in: object, renewed_after: float) -> None:
    answer = reply({"access_token": "t", "expires_in": expires_in})
    assert read_token(answer, "X", 1000.0).renew_at == pytest.approx(1000 + renewed_after)


def test_a_refused_token_is_renewed_and_the_document_sent_whole_again(make_client: MakeClient) -> None:
    content = bytes(range(256)) * 9000
    with Hostile(DENIED, Answer(b"op-1", 201)) as server:
        client = make_client(server.url)
        assert start(client, document(content)) == "op-1"
        assert start(client, document(content)) == "op-1"
    assert [call.headers["authorization"][-7:] for call in server.calls] == ["token-1", "token-2", "token-2"]
    assert len(server.logins) == 2
    first, second, _ = server.calls
    assert first.body == second.body
    assert content in second.body
    assert len(second.body) == int(second.headers["content-length"])


def test_a_document_of_unknown_length_is_sent_whole_again_too(make_client: MakeClient) -> None:
    content = bytes(range(256)) * 9000
    with Hostile(DENIED, Answer(b'"op-1"', 201)) as server:
        assert start(make_client(server.url), document(content, size=None)) == "op-1"
    assert [content in call.body for call in server.calls] == [True, True]
    assert server.calls[0].body == server.calls[1].body


def test_a_second_refusal_is_an_error(make_client: MakeClient) -> None:
    with Hostile(DENIED) as server:
        with pytest.raises(AuthenticationFailed, match="refused the credentials"):
            start(make_client(server.url), document())
        assert (len(server.logins), len(server.calls)) == (2, 2)


def test_renewal_on_a_real_service(make_client: MakeClient) -> None:
    with Sandbox(engine="wheels", client_id="my-client", client_secret="client-secret/of+the tests") as sandbox:
        client = make_client(sandbox.url)
        assert client.status().state.value == "not_found"
        sandbox.expire_tokens()
        assert client.status().state.value == "not_found"
        assert sandbox.stats()["logins_ok"] == 2


def test_every_new_token_is_told() -> None:
    told: list[str] = []
    with only_from(2) as server:
        client = Client(settings_for(server.url), told.append)
        client.run(client.service.status("op-1"))
        client.log_in()
    assert told == ["token-1", "token-2", "token-3"]


@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_is_remembered(make_client: MakeClient, status: int) -> None:
    with Hostile(RUNNING, logins=[Answer({"error": "invalid_client"}, status)]) as server:
        client = make_client(server.url)
        for _ in range(3):
            with pytest.raises(AuthenticationFailed, match=r"refused the client id and secret .*invalid_client"):
                client.status()
        assert (len(server.logins), len(server.calls)) == (1, 0)


def test_logging_in_on_purpose_asks_again_after_a_refusal() -> None:
    with Hostile(RUNNING, logins=[Answer({"error": "invalid_client"}, 400), token(2)]) as server:
        client = Client(settings_for(server.url))
        with pytest.raises(AuthenticationFailed):
            client.log_in()
        client.log_in()
        client.run(client.service.status("op-1"))
        assert len(server.logins) == 2


def test_a_login_that_is_out_of_order_is_no_refusal(make_client: MakeClient) -> None:
    def succeeds() -> bool:
        with suppress(ServiceUnavailable):
            client.status()
            return True
        return False

    with Hostile(RUNNING, logins=[*[Answer(b"", 502)] * 4, token(1)]) as server:
        client = make_client(server.url)
        assert not succeeds()
        assert len(server.logins) == 4
        wait_until(succeeds)
        assert len(server.logins) == 5


NO_TOKEN = [
    Answer({}),
    Answer([]),
    Answer({"access_token": None}),
    Answer({"access_token": ""}),
    Answer({"access_token": "a\r\nHost: evil"}),
    Answer({"access_token": "tökén"}),
    Answer(b"<html>Sign in</html>"),
    Answer(b""),
]


@pytest.mark.parametrize("answer", NO_TOKEN, ids=repr)
def test_a_login_without_a_token(make_client: MakeClient, answer: Answer) -> None:
    with Hostile(RUNNING, logins=[answer]) as server:
        with pytest.raises(LoginUnavailable, match="login"):
            make_client(server.url).status()
        assert server.calls == []


def test_the_login_is_where_the_connection_says(make_client: MakeClient) -> None:
    with Hostile(RUNNING) as service, Hostile(RUNNING, answer=lambda _: token(7)) as login:
        make_client(service.url + "/gateway/", auth_url=f"{login.url}/oauth/token").status()
    assert [call.path for call in login.seen] == ["/oauth/token"]
    assert [call.path for call in service.seen] == ["/gateway/v3.0/slides/async/op-1"]
    assert service.seen[0].headers["authorization"] == "Bearer token-7"


def test_all_users_of_a_loop_share_one_client_and_its_end() -> None:
    async def use(settings: object) -> object:
        async with shared_async_client(settings) as client:
            await client.run(client.service.status("op-1"))
            return client

    async def many(settings: object) -> list[object]:
        return await asyncio.gather(*(use(settings) for _ in range(20)))

    with only_from(2) as server:
        settings = settings_for(server.url)
        clients = asyncio.run(many(settings))
        assert len({id(client) for client in clients}) == 1
        assert clients[0]._http.closed
        assert len(server.logins) == 2
        [another] = asyncio.run(many(settings))[:1]
        assert another is not clients[0]
        assert another._http.closed


def test_a_user_who_fails_closes_the_session_too() -> None:
    async def fail() -> object:
        async with shared_async_client(settings_for("http://127.0.0.1:9")) as client:
            kept.append(client)
            raise RuntimeError("on purpose")

    kept: list[object] = []
    with pytest.raises(RuntimeError, match="on purpose"):
        asyncio.run(fail())
    assert kept[0]._http.closed
