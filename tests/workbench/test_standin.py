"""The stand-in speaks the vendor's protocol, goes wrong as it is told to, and keeps an exact account."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import json
import select
import socket
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import shared_client
from airflow_provider_docconv.client.settings import Settings as Connection
from airflow_provider_docconv.services.documents import Document
from airflow_provider_docconv.services.errors import StartReplyLost
from airflow_provider_docconv.services.operations import OperationState
from workbench.processes import wait_until
from workbench.standin import StandIn, expected_result
from workbench.standin.account import by_source
from workbench.standin.faults import KINDS, Fault, Faults
from workbench.standin.losses import KINDS as LOSING
from workbench.standin.operations import Operations
from workbench.standin.results import SMALLEST
from workbench.standin.settings import Settings
from workbench.standin.tokens import is_valid, new_token

DECK = b"PK\x03\x04 a deck, or near enough"
LOGIN = urlencode({"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}).encode()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CONVERT = "/v3.0/slides/async/convert/pdf"


@contextmanager
def standing_in(folder: Path, *options: str) -> Iterator[StandIn]:
    with StandIn(folder / "standin.log", *options) as standin:
        standin.wait_until_healthy()
        yield standin


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    with standing_in(tmp_path) as running:
        yield running


def ask(
    standin: StandIn, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Send a request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", standin.port, timeout=60)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {new_token()}"} | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def start(standin: StandIn, document: bytes = DECK) -> str:
    status, id = ask(standin, "POST", CONVERT, document)
    assert status == 201
    return id.decode()


def status_of(standin: StandIn, id: str) -> dict[str, Any]:
    status, body = ask(standin, "GET", f"/v3.0/slides/async/{id}")
    assert status == 200, body
    value: dict[str, Any] = json.loads(body)
    return value


def sha256(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def request_of(document: bytes, length: int | None = None) -> bytes:
    lines = (
        f"POST {CONVERT} HTTP/1.1",
        "Host: standin",
        f"Authorization: Bearer {new_token()}",
        f"Content-Length: {len(document) if length is None else length}",
    )
    return "\r\n".join((*lines, "", "")).encode() + document


def connect(standin: StandIn) -> socket.socket:
    return socket.create_connection(("127.0.0.1", standin.port), timeout=60)


# What a conversion is


def test_the_vendors_sdk_converts(standin: StandIn) -> None:
    pytest.importorskip("asposeslidescloud")
    from asposeslidescloud.apis.slides_async_api import SlidesAsyncApi
    from asposeslidescloud.configuration import Configuration
    from asposeslidescloud.models.pdf_export_options import PdfExportOptions
    from asposeslidescloud.rest import ApiException

    configuration = Configuration()
    configuration.base_url = configuration.auth_base_url = standin.url
    configuration.app_sid, configuration.app_key = "id", "secret"
    api = SlidesAsyncApi(configuration)
    ids = [api.start_convert(DECK, "pdf"), api.start_convert(DECK, "Pdf", options=PdfExportOptions())]
    for id in ids:
        wait_until(lambda id=id: api.get_operation_status(id).status == "Finished", "The conversion", 30)  # type: ignore[misc]
        assert Path(api.get_operation_result(id)).read_bytes() == expected_result(sha256(DECK), 2048)
    with pytest.raises(ApiException) as caught:
        api.get_operation_status("nobody")
    assert (caught.value.status, caught.value.body) == (404, "Operation does not exist")
    stats = standin.stats()
    assert list(stats["sources"]) == [sha256(DECK)]
    assert stats["calls"]["token"] == 1


def test_the_blocking_client_converts(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--result-bytes", "300000") as standin:
        client = shared_client(Connection("aspose_slides", "id", "secret", host=standin.url))
        deck = Document("deck.pptx", lambda: io.BytesIO(DECK), len(DECK))
        id = client.run(client.service.start(deck, "pdf", {"exportOptions": {"jpegQuality": 90}}))
        assert client.run(client.service.status(id)).state is OperationState.SUCCEEDED
        (file,) = client.run(client.service.results(id))
        with client.open_result(file) as (stream, pieces):
            assert b"".join(pieces) == expected_result(sha256(DECK), 300_000)
        assert stream.name == "document.pdf"
        stats = standin.stats()
        assert stats["calls"] == {"token": 1, "start": 1, "status": 1, "result": 1}
        assert stats["sources"] == {sha256(DECK): {"created": 1, "lost": 0, "unexplained": 0, "polls": [1]}}
        standin.lose_next_start()
        with pytest.raises(StartReplyLost):
            client.run(client.service.start(deck, "pdf", {}))


def test_the_asynchronous_client_converts(standin: StandIn) -> None:
    async def convert() -> OperationState:
        async with shared_async_client(Connection("aspose_slides", "id", "secret", host=standin.url)) as client:
            deck = Document("deck.pptx", lambda: io.BytesIO(DECK), None)
            id = await client.run(client.service.start(deck, "pdf", {}))
            return (await client.run(client.service.status(id))).state

    assert asyncio.run(convert()) is OperationState.SUCCEEDED
    assert list(standin.stats()["sources"]) == [sha256(DECK)]


def test_results_follow_from_the_source_and_the_size() -> None:
    result = expected_result(sha256(DECK), 5000)
    assert len(result) == 5000
    assert result.startswith(b"%PDF-1.7\n")
    assert sha256(DECK).encode() in result
    assert result.endswith(b"%%EOF\n")
    assert result == expected_result(sha256(DECK).upper(), 5000) != expected_result(sha256(b"?"), 5000)
    assert len(expected_result(sha256(DECK), SMALLEST)) == SMALLEST
    with pytest.raises(ValueError, match="at least"):
        expected_result(sha256(DECK), SMALLEST - 1)


def test_logging_in_takes_any_id_and_secret(standin: StandIn) -> None:
    status, body = ask(standin, "POST", "/connect/token", LOGIN, FORM)
    token = json.loads(body)
    assert (status, token["expires_in"], token["token_type"]) == (200, 3600, "Bearer")
    assert is_valid(f"Bearer {token['access_token']}")
    status, body = ask(standin, "POST", "/connect/token", b"client_id=id&client_secret=", FORM)
    assert (status, json.loads(body)) == (400, {"error": "invalid_client"})


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer standin.1.old", "Bearer other", "Basic aWQ6c2VjcmV0"])
def test_without_a_token_nothing_is_done(authorization: str, standin: StandIn) -> None:
    for method, path in [("POST", CONVERT), ("GET", "/v3.0/slides/async/x"), ("GET", "/v3.0/slides/async/x/result")]:
        assert ask(standin, method, path, DECK, {"Authorization": authorization})[0] == 401
    stats = standin.stats()
    assert stats["operations"]["created"] == 0
    assert stats["refused"] == {"401": 3}


def test_the_id_is_quoted_for_those_who_ask_for_json(standin: StandIn) -> None:
    status, body = ask(standin, "POST", CONVERT, DECK, {"Accept": "application/json"})
    assert status == 201
    assert status_of(standin, json.loads(body))["status"] == "Finished"


def test_a_start_without_a_document_is_refused(standin: StandIn) -> None:
    assert ask(standin, "POST", CONVERT, b"")[0] == 400
    endless = b'--b\r\nContent-Disposition: form-data; name="document"; filename="d"\r\n\r\nno end'
    for body in (b"no parts at all", endless):
        assert ask(standin, "POST", CONVERT, body, {"Content-Type": "multipart/form-data; boundary=b"})[0] == 400
    assert standin.stats()["operations"]["created"] == 0


def test_a_damaged_document_fails(standin: StandIn) -> None:
    id = start(standin, b"DAMAGED deck")
    operation = status_of(standin, id)
    assert operation["status"] == "Failed"
    assert operation["failed"].endswith("Z")
    assert operation["error"]["httpStatusCode"] == 400
    assert operation["error"]["message"] == "The presentation is damaged."
    assert ask(standin, "GET", f"/v3.0/slides/async/{id}/result")[0] == 400


def test_a_quota_ends(standin: StandIn) -> None:
    standin.set_quota(2)
    answers = [ask(standin, "POST", CONVERT, DECK + bytes([number]))[0] for number in range(4)]
    assert answers == [201, 201, 403, 403]
    assert standin.stats()["operations"]["created"] == 2
    standin.set_quota(None)
    start(standin)


# When operations begin, end, and are forgotten


def test_what_exceeds_the_capacity_queues(tmp_path: Path) -> None:
    with standing_in(tmp_path, "--seconds", "3600", "--capacity", "2") as standin:
        ids = [start(standin, DECK + bytes([number])) for number in range(4)]
        assert [status_of(standin, id)["status"] for id in ids] == ["Started", "Started", "Enqueued", "Enqueued"]
        assert ask(standin, "GET", f"/v3.0/slides/async/{ids[0]}/result")[0] == 400
        operations = standin.stats()["operations"]
        assert (operations["in_flight"], operations["peak_in_flight"]) == (4, 4)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_turns_are_taken_in_order() -> None:
    clock = Clock()
    operations = Operations(10, capacity=2, clock=clock)
    made = [operations.create(b"", damaged=False)[1] for _ in range(5)]
    assert [(each.begun, each.ended) for each in made] == [(100, 110), (100, 110), (110, 120), (110, 120), (120, 130)]
    clock.now = 119
    assert [each.status(clock.now) for each in made] == ["Finished", "Finished", "Started", "Started", "Enqueued"]
    clock.now = 1000
    assert operations.create(b"", damaged=False)[1].begun == 1000


def test_the_highest_number_at_once_is_exact() -> None:
    clock = Clock()
    operations = Operations(10, clock=clock)
    for now in (100, 101, 102, 110, 111, 200):
        clock.now = now
        operations.create(b"", damaged=False)
    assert (operations.in_flight(), operations.peak) == (1, 3)


def test_times_spread_around_the_one_that_is_set() -> None:
    clock = Clock()
    operations = Operations(10, spread=0.2, seed=1, clock=clock)
    ends = [operations.create(b"", damaged=False)[1].ended for _ in range(200)]
    assert 108 <= min(ends) < 109 < 111 < max(ends) <= 112


def test_many_operations_cost_little_memory() -> None:
    tracemalloc.start()
    try:
        operations = Operations(3600, capacity=10)
        for number in range(20_000):
            operations.create(hashlib.sha256(number.to_bytes(4)).digest(), damaged=False)
        assert tracemalloc.get_traced_memory()[0] < 15e6
    finally:
        tracemalloc.stop()
    assert operations.in_flight() == len(operations)


def test_an_operation_is_forgotten_but_stays_in_the_account(tmp_path: Path) -> None:
    clock = Clock()
    operations = Operations(10, retention=5, clock=clock)
    _, operation = operations.create(b"", damaged=False)
    clock.now = 114.9
    assert not operations.is_forgotten(operation)
    clock.now = 115
    assert operations.is_forgotten(operation)
    with standing_in(tmp_path, "--retention", "0") as standin:
        id = start(standin)
        for path in (f"/v3.0/slides/async/{id}", f"/v3.0/slides/async/{id}/result"):
            status, body = ask(standin, "GET", path)
            assert (status, json.loads(body)["error"]["message"]) == (404, "Operation does not exist")
        assert standin.stats()["sources"][sha256(DECK)] == {"created": 1, "lost": 0, "unexplained": 0, "polls": [1]}


# The faults


def check_garbage(port: int) -> None:
    status, _, body = log_in(port)
    assert status == 200
    with pytest.raises(ValueError, match=r"utf|JSON|Expecting"):
        json.loads(body)


def check_truncated(port: int) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        log_in(port)
    # Half of a token's reply; the end is a FIN, which reads as the end.
    partial, missing = caught.value.partial, caught.value.expected
    assert partial.startswith(b'{"access_token"')
    assert missing is not None
    assert 0 <= missing - len(partial) <= 1


def check_reset(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /connect/token HTTP/1.1\r\nHost: standin\r\nContent-Length: 0\r\n\r\n")
        # A mere end would read as nothing.
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def check_date(port: int) -> None:
    status, headers, _ = log_in(port)
    ahead = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert status == 429
    assert 0 <= ahead.total_seconds() <= 2


def check_number(port: int) -> None:
    status, headers, _ = log_in(port)
    assert (status, headers["Retry-After"]) == (429, "1")


def check_status(expected: int) -> Callable[[int], None]:
    def check(port: int) -> None:
        status, headers, body = log_in(port)
        assert (status, headers["Retry-After"]) == (expected, None)
        assert json.loads(body)["error"]["message"]

    return check


CHECKS = {
    "500": check_status(500),
    "503": check_status(503),
    "429": check_number,
    "429-date": check_date,
    "reset": check_reset,
    "truncated": check_truncated,
    "garbage": check_garbage,
}


def log_in(port: int) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/connect/token", LOGIN, FORM)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_every_kind_is_checked() -> None:
    assert set(CHECKS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_what_it_says(kind: str, tmp_path: Path) -> None:
    with standing_in(tmp_path, "--faults", "1", "--fault-kinds", kind, "--seed", "3") as standin:
        for _ in range(4):
            CHECKS[kind](standin.port)
        ids = ("/v3.0/slides/async/x", "/v3.0/slides/async/x/result")
        for method, path in [("POST", CONVERT), *(("GET", path) for path in ids)]:
            with quiet():
                assert ask(standin, method, path, DECK if method == "POST" else None)[0] == int(kind[:3])
        stats = standin.stats()
        calls = {"token": 4, "start": 1, "status": 1, "result": 1}
        assert stats["calls"] == calls
        assert stats["faults"] == {call: {kind: count} for call, count in calls.items()}
        assert stats["refused"] == {}


@contextmanager
def quiet() -> Iterator[None]:
    """Let pass what comes of a reply that is none."""
    with suppress(ConnectionResetError, http.client.IncompleteRead, ValueError):
        yield


def test_faults_are_drawn_evenly_and_the_same_each_time() -> None:
    first, second = (Faults(0.5, KINDS, 7) for _ in range(2))
    drawn = []
    for _ in range(7000):
        drawn.append(first.draw("start"))
        first.draw("status")  # how often is polled makes no difference
    assert drawn == [second.draw("start") for _ in range(7000)]
    faults = [fault for fault in drawn if fault]
    assert 3300 < len(faults) < 3700
    counts = Counter(fault.kind for fault in faults)
    assert all(400 < counts[kind] < 600 for kind in KINDS)
    done = Counter(fault.kind for fault in faults if fault.done)
    assert set(done) == {"500", "reset", "truncated", "garbage"}
    assert all(150 < count < 350 for count in done.values())


@pytest.mark.parametrize("wrong", [["--faults", "2"], ["--fault-kinds", "499"], ["--capacity", "0"]])
def test_wrong_options_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.standin.__main__ import main

    assert main(wrong) == 1
    assert capsys.readouterr().err.startswith("standin: ")
    with pytest.raises(ValueError, match="at least"):
        Settings(result_bytes=3)


# The account


def try_start(standin: StandIn, document: bytes) -> bool:
    """Start once and tell whether the reply was an operation id."""
    try:
        status, _ = ask(standin, "POST", CONVERT, document)
    except (ConnectionResetError, http.client.IncompleteRead):
        return False
    return status == 201


def test_the_account_of_starts_is_right_under_faults(tmp_path: Path) -> None:
    documents = [f"deck {number}".encode() for number in range(40)]
    with standing_in(tmp_path, "--faults", "0.5", "--seed", "11") as standin:
        # The same draws in the same order say what must come of each start.
        fates = Faults(0.5, KINDS, 11)
        faults: Counter[str] = Counter()
        expected: dict[str, Counter[str]] = {}
        for document in documents:
            counts = expected.setdefault(sha256(document), Counter(created=0, lost=0))
            heard = False
            while not heard:
                fate = fates.draw("start")
                heard = try_start(standin, document)
                assert heard is (fate is None)
                counts["created"] += fate is None or fate.done
                counts["lost"] += fate is not None and fate.done
                faults.update([fate.kind] if fate else [])
        stats = standin.stats()
    sources = stats["sources"]
    assert {digest: {key: sources[digest][key] for key in counts} for digest, counts in expected.items()} == expected
    assert stats["faults"]["start"] == faults
    assert stats["calls"]["start"] == len(documents) + faults.total()
    lost = sum(counts["lost"] for counts in expected.values())
    operations = stats["operations"]
    assert lost > 5
    assert (operations["created"], operations["duplicates"], operations["lost"]) == (40 + lost, lost, lost)
    assert (operations["sources"], operations["unexplained"], operations["lost_by_client"]) == (40, 0, 0)


@pytest.mark.parametrize("kind", LOSING)
def test_the_next_start_is_lost_on_demand(kind: str, standin: StandIn) -> None:
    standin.lose_next_start(kind, sha256(DECK))
    start(standin, b"another deck")
    assert not try_start(standin, DECK)
    start(standin)
    stats = standin.stats()
    assert stats["faults"]["start"] == {kind: 1}
    assert stats["sources"][sha256(DECK)] == {"created": 2, "lost": 1, "unexplained": 0, "polls": [0, 0]}
    start(standin)
    assert standin.stats()["operations"]["unexplained"] == 1


def test_a_start_that_did_nothing_is_not_lost_on_demand(standin: StandIn) -> None:
    standin.lose_next_start()
    standin.set_quota(0)
    assert ask(standin, "POST", CONVERT, DECK)[0] == 403
    standin.set_quota(None)
    assert not try_start(standin, DECK)
    start(standin)
    assert standin.stats()["operations"]["lost"] == 1


def test_only_a_loss_before_it_explains_a_duplicate() -> None:
    operations = Operations(0)
    for lost in ("fault", None, "client"):
        operations.create(b"\0", damaged=False)[1].lost = lost  # type: ignore[assignment]
    assert by_source(operations.all())["00"] == {"created": 3, "lost": 2, "unexplained": 1, "polls": [0, 0, 0]}


def wait_for_silence(standin: StandIn) -> dict[str, Any]:
    def silent() -> bool:
        stats = standin.stats(sources=False)
        return stats["calls"]["start"] > 0 and stats["connections"]["open"] == 0

    wait_until(silent, "The end of the connection", 30, pause=0.02)
    return standin.stats()


@pytest.mark.parametrize("latency", ["0", "0.3"])
def test_a_client_that_is_gone_has_lost_the_reply(latency: str, tmp_path: Path) -> None:
    with standing_in(tmp_path, "--latency", latency) as standin:
        with connect(standin) as connection:
            connection.sendall(request_of(DECK))
        operations = wait_for_silence(standin)["operations"]
        assert (operations["created"], operations["lost"], operations["lost_by_client"]) == (1, 1, 1)


def test_a_client_that_ends_with_the_reply_unread_has_lost_it(standin: StandIn) -> None:
    with connect(standin) as connection:
        connection.sendall(request_of(DECK))
        select.select([connection], [], [], 60)
    assert wait_for_silence(standin)["operations"]["lost_by_client"] == 1


def test_a_client_that_reads_the_reply_has_heard_it(standin: StandIn) -> None:
    with connect(standin) as connection:
        connection.sendall(request_of(DECK))
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    operations = wait_for_silence(standin)["operations"]
    assert (operations["created"], operations["lost"]) == (1, 0)


def test_a_start_that_never_comes_whole_creates_nothing(standin: StandIn) -> None:
    with connect(standin) as connection:
        connection.sendall(request_of(DECK, length=len(DECK) + 1))
    stats = wait_for_silence(standin)
    assert (stats["calls"]["start"], stats["incomplete"], stats["operations"]["created"]) == (1, 1, 0)
    assert stats["bytes"]["in"] == len(DECK)


def test_connections_bytes_and_polls_are_counted(standin: StandIn) -> None:
    connections = [http.client.HTTPConnection("127.0.0.1", standin.port, timeout=60) for _ in range(3)]
    sent = 0
    for number, connection in enumerate(connections):
        authorization = {"Authorization": f"Bearer {new_token()}"}
        connection.request("POST", CONVERT, DECK + bytes([number]), authorization)
        id = connection.getresponse().read()
        sent += len(id)
        for _ in range(number):
            connection.request("GET", f"/v3.0/slides/async/{id.decode()}", headers=authorization)
            sent += len(connection.getresponse().read())
    stats = standin.stats()
    for connection in connections:
        connection.close()
    assert stats["connections"] == {"open": 3, "peak": 3}
    assert stats["bytes"] == {"in": 3 * (len(DECK) + 1), "out": sent}
    assert stats["polls"] == {"total": 3, "median": 1, "p90": 2, "max": 2}
    assert [source["polls"] for source in stats["sources"].values()] == [[0], [1], [2]]
    after = wait_for_silence(standin)
    assert after["connections"] == {"open": 0, "peak": 3}
    assert standin.stats(sources=False)["sources"] == {}


def test_a_fault_without_a_reply_has_none() -> None:
    with pytest.raises(ValueError, match="no reply"):
        Fault("reset", done=True).reply()


def test_it_can_be_started_anew(standin: StandIn) -> None:
    start(standin)
    standin.process.kill()
    standin.start()
    standin.wait_until_healthy()
    assert standin.stats()["operations"]["created"] == 0
