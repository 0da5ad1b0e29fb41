"""The stand-in goes wrong as it is told to."""

from __future__ import annotations

import http.client
import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.workbench.standin_calls import ASYNC, CONVERT, DECK, DJVU, ask, log_in, standing_in
from workbench.standin.faults import KINDS, Fault, Faults


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


def test_every_kind_is_checked() -> None:
    assert set(CHECKS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_what_it_says(kind: str, tmp_path: Path) -> None:
    with standing_in(tmp_path, "--faults", "1", "--fault-kinds", kind, "--seed", "3") as standin:
        for _ in range(4):
            CHECKS[kind](standin.port)
        others = [("GET", f"{ASYNC}/x"), ("GET", f"{ASYNC}/x/result"), ("DELETE", f"{DJVU}?id=x")]
        for method, path in [("POST", CONVERT), *others]:
            with quiet():
                assert ask(standin, method, path, DECK if method == "POST" else None)[0] == int(kind[:3])
        stats = standin.stats()
        calls = {"token": 4, "start": 1, "status": 1, "result": 1, "cancel": 1}
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


def test_a_fault_without_a_reply_has_none() -> None:
    with pytest.raises(ValueError, match="no reply"):
        Fault("reset", done=True).reply()
