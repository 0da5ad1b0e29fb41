"""The sandbox goes wrong as it is told to."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from docconv_sandbox import Sandbox, Settings
from docconv_sandbox.faults import KINDS, LOSING, Faults
from tests.client import Client
from tests.documents import DECK, NEAR_SCAN, sha256
from tests.patience import PATIENCE


def log_in(sandbox: Sandbox) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox-secret"}
    return requests.post(f"{sandbox.url}/connect/token", data=form, timeout=PATIENCE)


def check_garbage(sandbox: Sandbox) -> None:
    answer = log_in(sandbox)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"utf|JSON|Expecting"):
        json.loads(answer.content)


def check_truncated(sandbox: Sandbox) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        log_in(sandbox)


def check_reset(sandbox: Sandbox) -> None:
    with pytest.raises(requests.ConnectionError, match="reset"):
        log_in(sandbox)


def check_status(expected: int, retry_after: str | None) -> Callable[[Sandbox], None]:
    def check(sandbox: Sandbox) -> None:
        answer = log_in(sandbox)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (expected, retry_after)

    return check


def check_date(sandbox: Sandbox) -> None:
    answer = log_in(sandbox)
    ahead = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(answer.headers["Date"])
    assert answer.status_code == 429
    assert 0 <= ahead.total_seconds() <= 2


def check_refused_login(sandbox: Sandbox) -> None:
    answer = log_in(sandbox)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


CHECKS = {
    "401:1": check_refused_login,
    "500:1": check_status(500, None),
    "503:1:2.5": check_status(503, "2.5"),
    "404:1": check_status(404, None),
    "429:1": check_status(429, "1"),
    "429-date:1": check_date,
    "reset:1": check_reset,
    "truncated:1": check_truncated,
    "garbage:1": check_garbage,
}


@pytest.mark.parametrize("rule", CHECKS)
def test_a_fault_is_what_it_says(rule: str) -> None:
    with Sandbox(engine="echo", faults=f"login={rule}", seed=3) as sandbox:
        for _ in range(4):
            CHECKS[rule](sandbox)
        stats = sandbox.stats()
        assert stats["faults"]["login"] == {rule.partition(":")[0]: 4}
        assert (stats["logins_ok"], stats["refused"]) == (0, {})


@pytest.mark.parametrize("kind", LOSING)
def test_a_start_that_goes_wrong_has_done_nothing_unless_only_its_reply_is_lost(kind: str) -> None:
    with Sandbox(engine="echo", faults=f"start={kind}:0.5") as sandbox:
        client = Client(sandbox)
        heard = sum(bool(start(client, DECK + bytes([number]))) for number in range(20))
        stats = sandbox.stats()
        assert 4 < heard < 16
        assert (stats["totals"]["created"], stats["totals"]["lost"]) == (heard, 0)
        assert stats["faults"]["start"] == {kind: 20 - heard}
        assert [source["starts"] for source in stats["sources"].values()] == [1] * 20
        assert sum(source["created"] for source in stats["sources"].values()) == heard
    with Sandbox(engine="echo", faults="start=lost:0.5") as sandbox:
        client = Client(sandbox)
        heard = sum(bool(start(client, DECK + bytes([number]))) for number in range(20))
        totals = sandbox.stats()["totals"]
        assert (totals["created"], totals["lost"], totals["duplicates"]) == (20, 20 - heard, 0)


def start(client: Client, document: bytes) -> str:
    try:
        answer = client("POST", "/v3.0/slides/async/convert/pdf", data=document)
        return answer.text if answer.status_code == 201 else ""
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return ""


@pytest.mark.parametrize("kind", LOSING)
def test_the_next_start_is_lost_on_demand(kind: str) -> None:
    with Sandbox(engine="echo") as sandbox:
        client = Client(sandbox)
        sandbox.lose_next_start(kind, sha256(DECK))
        assert start(client, NEAR_SCAN)
        assert not start(client, DECK)
        assert start(client, DECK)
        source = sandbox.stats()["sources"][sha256(DECK)]
        assert [source[key] for key in ("starts", "created", "lost", "duplicates")] == [2, 2, 1, 0]
        assert start(client, DECK)
        assert sandbox.stats()["totals"]["duplicates"] == 1


def test_a_quota_ends() -> None:
    with Sandbox(engine="echo") as sandbox:
        client = Client(sandbox)
        sandbox.set_quota(1)
        sandbox.lose_next_start()
        assert not start(client, DECK)
        answer = client("POST", "/v3.0/slides/async/convert/pdf", data=DECK)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "errorQuotaExceeded")
        sandbox.set_quota(None)
        assert start(client, DECK)
        assert sandbox.stats()["refused"] == {"403": 1}


def test_the_same_orders_go_over_http() -> None:
    with Sandbox(engine="echo", seconds=3600) as sandbox:
        client = Client(sandbox)
        assert client("POST", "/sandbox/quota", json={"left": 0}).status_code == 200
        assert not start(client, DECK)
        assert client("POST", "/sandbox/quota", json={"left": None}).status_code == 200
        assert client("POST", "/sandbox/lose-next-start", json={"kind": "500"}).status_code == 200
        assert not start(client, DECK)
        id = start(client, DECK)
        assert client("POST", "/sandbox/finish").status_code == 200
        assert client.wait_slides(id)["status"] == "Finished"
        for path, body in (("lose-next-start", {"kind": "503"}), ("quota", {}), ("quota", [])):
            assert client("POST", f"/sandbox/{path}", json=body).status_code == 400


def test_results_break_off_in_the_middle() -> None:
    with Sandbox(engine="echo", result_bytes=3_000_000, faults="result=truncated:1") as sandbox:
        client = Client(sandbox)
        ids = client.start_slides(DECK), client.start_ocr(NEAR_SCAN)
        for path in (f"/v3.0/slides/async/{ids[0]}/result", f"/v5.0/ocr/DjVu2PDF?id={ids[1]}"):
            with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
                client("GET", path)


def test_a_file_breaks_off_in_the_middle(made: dict[str, Path]) -> None:
    with Sandbox(engine="wheels") as sandbox:
        client = Client(sandbox)
        client("PUT", "/v3.0/slides/storage/file/deck.pptx", data=made["pptx"].read_bytes())
        sandbox.set_faults("storage=truncated:1")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            client("GET", "/v3.0/slides/storage/file/deck.pptx")
        sandbox.set_faults("")
        assert client("GET", "/v3.0/slides/storage/file/deck.pptx").content == made["pptx"].read_bytes()


def test_an_operation_may_be_forgotten() -> None:
    with Sandbox(engine="echo", faults="status=forget:1") as sandbox:
        client = Client(sandbox)
        id = client.start_slides(DECK)
        assert client("GET", f"/v3.0/slides/async/{id}").status_code == 404
        assert client("GET", f"/v3.0/slides/async/{id}/result").status_code == 404
        source = sandbox.stats()["sources"][sha256(DECK)]
        assert [source[key] for key in ("polls", "results")] == [1, 1]


def test_replies_may_be_late() -> None:
    with Sandbox(engine="echo", latency=0.2, faults="start=delay:1:0.3") as sandbox:
        client = Client(sandbox)
        began = time.monotonic()
        assert client.start_slides(DECK)
        assert time.monotonic() - began >= 0.5
        totals = sandbox.stats()["totals"]
        assert (totals["created"], totals["lost"]) == (1, 0)


def test_faults_are_drawn_as_told_and_the_same_each_time() -> None:
    first, second = (Faults("any=mix:0.4,start=500:0.1", 7) for _ in range(2))
    drawn = []
    for _ in range(7000):
        drawn.append(first.draw("start"))
        first.draw("status")  # how often is polled makes no difference
    assert drawn == [second.draw("start") for _ in range(7000)]
    faults = [fault for fault in drawn if fault]
    assert 3300 < len(faults) < 3700
    counts = Counter(fault.kind for fault in faults)
    assert set(counts) == {"500", "503", "429", "429-date", "reset", "truncated", "garbage"}
    assert counts["500"] > 2 * counts["503"]
    assert {fault.kind for fault in faults if fault.done} == set(LOSING)
    assert first.draw("other") is None


@pytest.mark.parametrize(
    ("faults", "complaint"),
    [
        ("start", "expected CALL=KIND:RATE"),
        ("start=500", "expected CALL=KIND:RATE"),
        ("begin=500:1", "the calls are"),
        ("start=200:1", "the kinds are"),
        ("start=nonsense:1", "the kinds are"),
        ("start=500:1.2.3", "not a number"),
        ("start=500:0.6,any=reset:0.5", "more than 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(faults: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Settings(faults=faults)


def test_every_kind_is_described() -> None:
    assert {"429-date", "reset", "truncated", "garbage", "lost", "delay", "forget", "mix"} == set(KINDS)
