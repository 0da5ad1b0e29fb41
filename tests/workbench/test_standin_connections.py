"""The stand-in counts connections, and knows which replies nobody has heard."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from tests.workbench.standin_calls import (
    ASYNC,
    CONVERT,
    DECK,
    ask,
    open_connection,
    open_socket,
    request_of,
    standing_in,
    wait_for_silence,
)
from workbench.standin import StandIn
from workbench.standin.tokens import new_token


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "tls" if request.param == "https" else None


# Under TLS a client that closes just before the reply counts as one that has heard it: so only after a pause.
@pytest.mark.parametrize(("secure", "latency"), [(False, "0"), (False, "0.3"), (True, "0.3")])
def test_a_client_that_is_gone_has_lost_the_reply(secure: bool, latency: str, tmp_path: Path) -> None:
    with standing_in(tmp_path, "--latency", latency, tls=tmp_path / "tls" if secure else None) as standin:
        with open_socket(standin) as connection:
            connection.sendall(request_of(DECK))
        operations = wait_for_silence(standin)["operations"]
        assert (operations["created"], operations["lost"], operations["lost_by_client"]) == (1, 1, 1)


def test_a_client_that_ends_with_the_reply_unread_has_lost_it(tls: Path | None, tmp_path: Path) -> None:
    with standing_in(tmp_path, tls=tls) as standin:
        with open_socket(standin) as connection:
            connection.sendall(request_of(DECK))
            select.select([connection], [], [], 60)
        assert wait_for_silence(standin)["operations"]["lost_by_client"] == 1


def test_a_client_that_reads_the_reply_has_heard_it(tls: Path | None, tmp_path: Path) -> None:
    with standing_in(tmp_path, tls=tls) as standin:
        with open_socket(standin) as connection:
            connection.sendall(request_of(DECK))
            assert connection.recv(65536).startswith(b"HTTP/1.1 201")
        operations = wait_for_silence(standin)["operations"]
        assert (operations["created"], operations["lost"]) == (1, 0)


def test_a_start_that_never_comes_whole_creates_nothing(standin: StandIn) -> None:
    with open_socket(standin) as connection:
        connection.sendall(request_of(DECK, length=len(DECK) + 1))
    stats = wait_for_silence(standin)
    assert (stats["calls"]["start"], stats["incomplete"], stats["operations"]["created"]) == (1, 1, 0)
    assert stats["bytes"]["in"] == len(DECK)


def test_connections_bytes_and_polls_are_counted(standin: StandIn) -> None:
    connections = [open_connection(standin) for _ in range(3)]
    sent = 0
    for number, connection in enumerate(connections):
        authorization = {"Authorization": f"Bearer {new_token()}"}
        connection.request("POST", CONVERT, DECK + bytes([number]), authorization)
        id = connection.getresponse().read()
        sent += len(id)
        for _ in range(number):
            connection.request("GET", f"{ASYNC}/{id.decode()}", headers=authorization)
            sent += len(connection.getresponse().read())
    stats = standin.stats()
    for connection in connections:
        connection.close()
    assert stats["connections"] == {"open": 3, "opened": 3, "peak": 3}
    assert stats["bytes"] == {"in": 3 * (len(DECK) + 1), "out": sent}
    assert stats["polls"] == {"total": 3, "median": 1, "p90": 2, "max": 2}
    assert [source["polls"] for source in stats["sources"].values()] == [0, 1, 2]
    wait_for_silence(standin)
    ask(standin, "GET", f"{ASYNC}/x")
    assert wait_for_silence(standin)["connections"] == {"open": 0, "opened": 4, "peak": 3}
    assert standin.stats(sources=False)["sources"] == {}
