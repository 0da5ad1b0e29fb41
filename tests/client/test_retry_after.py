"""How long a request waits before it is sent again."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.client.exchange import retry_after
from airflow_provider_docconv.services.errors import AuthenticationFailed, LoginUnavailable, ServiceUnavailable
from tests.support.clients import MakeClient
from tests.support.flows import document
from tests.support.hostile import Answer, Hostile, date_in, token

RUNNING = Answer({"status": "Started"})


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "least", "most"), [(lambda: "30", 29, 30), (lambda: date_in(30), 1, 30), (lambda: "0", 0, 0)]
)
def test_the_service_is_given_the_time_it_asks_for(
    make_client: MakeClient, delays: list[float], status: int, header: Callable[[], str], least: float, most: float
) -> None:
    with Hostile(Answer(b"", status, {"Retry-After": header()}), RUNNING) as server:
        assert make_client(server.url).status().vendor_status == "Started"
        assert len(server.calls) == 2
    assert len(delays) == (most > 0)
    assert least <= sum(delays) <= most


@pytest.mark.parametrize("header", [lambda: "61", lambda: date_in(3600), lambda: "9" * 400])
@pytest.mark.parametrize("what", ["start", "status"])
def test_who_asks_for_more_than_a_minute_is_left_to_the_task(
    make_client: MakeClient, delays: list[float], header: Callable[[], str], what: str
) -> None:
    with Hostile(Answer({"message": "Slow down."}, 429, {"Retry-After": header()})) as server:
        client = make_client(server.url)
        flow = client.service.status("op-1") if what == "status" else client.service.start(document(), "pdf", {})
        with pytest.raises(ServiceUnavailable, match="Slow down") as raised:
            client.run(flow)
        assert len(server.calls) == 1
    assert raised.value.retryable
    # But the others of the connection leave the service alone for a minute.
    assert delays == [60]


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", date_in(-100)])
def test_without_a_sensible_header_the_waits_grow(make_client: MakeClient, delays: list[float], header: str) -> None:
    with Hostile(Answer(b"", 503, {"Retry-After": header})) as server:
        with pytest.raises(ServiceUnavailable):
            make_client(server.url).status()
        assert len(server.calls) == 4
    if "GMT" in header:
        assert delays == []
    else:
        first, second, third = delays
        assert 0.375 <= first <= 0.625 <= 0.75 <= second <= 1.25 <= 1.5 <= third <= 2.5


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,400}") | st.datetimes().map(format_datetime))
def test_any_header_is_a_time_or_nothing(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("value", "is_time"),
    [
        ("Mon, 01 Jan 0001 00:00:00 +2359", True),
        ("Fri, 31 Dec 9999 23:59:59 -2359", True),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", False),
        (f"Mon, 01 Jan 2026 00:00:00 +{'9' * 20}", False),
        ("0\x1f", True),
        ("1, 2", False),
        ("Mon", False),
    ],
)
def test_odd_dates(value: str, is_time: bool) -> None:
    assert (retry_after(value) is not None) == is_time


def test_a_locked_login_is_not_tried_again(make_client: MakeClient, delays: list[float]) -> None:
    locked = Answer({"error": "too_many_requests"}, 429, {"Retry-After": "600"})
    with Hostile(RUNNING, logins=[locked]) as server:
        with pytest.raises(AuthenticationFailed, match="or wait 600 seconds"):
            make_client(server.url).status()
        assert (len(server.logins), len(server.calls)) == (1, 0)
    assert delays == []


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "x" * 3000, "٣", "", "9" * 5000])
def test_a_login_that_asks_for_patience_in_odd_words_is_a_fault(make_client: MakeClient, header: str) -> None:
    locked = Answer(b"", 429, {"Retry-After": header.encode().decode("latin-1")})
    with Hostile(RUNNING, logins=[locked]) as server, pytest.raises(LoginUnavailable, match="HTTP 429"):
        make_client(server.url).status()


def test_an_overloaded_login_is_tried_again(make_client: MakeClient, delays: list[float]) -> None:
    busy = Answer(b"", 429, {"Retry-After": "2"})
    with Hostile(RUNNING, logins=[busy, busy, token(3)]) as server:
        assert make_client(server.url).status().vendor_status == "Started"
    assert delays == [2, 2]
