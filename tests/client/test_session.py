"""One token, one limit and one pause for all users of a connection in a process, in threads and in event loops."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_docconv.client import asynchronous
from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.rate_limit import RateLimit
from airflow_provider_docconv.client.session import session_of
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.errors import (
    AuthenticationFailed,
    DocConvError,
    LoginUnavailable,
    ServiceUnavailable,
)
from tests.support.clients import MakeClient, settings_for
from tests.support.hostile import Answer, Hostile, Seen, token

RUNNING = Answer({"status": "Started"})


class Crowded(Hostile):
    """Counts how many calls are under way at once, each of which takes a moment."""

    def __init__(self, *answers: Answer, **values: Any) -> None:
        super().__init__(*answers, **values)
        self.peak = self._now = 0
        self._count = threading.Lock()

    def _next(self, seen: Seen) -> Answer:
        with self._count:
            self._now += 1
            self.peak = max(self.peak, self._now)
        time.sleep(0.01)
        answer = super()._next(seen)
        with self._count:
            self._now -= 1
        return answer


def wait_in_threads(settings: Settings, count: int) -> list[object]:
    """Ask from threads that all begin together."""
    client, together = Client(settings), threading.Barrier(count)

    def ask(_: int) -> object:
        together.wait()
        return outcome_of(client)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(ask, range(count)))


def wait_in_a_loop(settings: Settings, count: int) -> list[object]:
    """Ask from coroutines, each with a client that it shares."""

    async def ask() -> object:
        async with shared_async_client(settings) as client:
            try:
                return (await client.run(client.service.status("op-1"))).vendor_status
            except DocConvError as error:
                return error

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(ask() for _ in range(count)))

    return asyncio.run(all_of_them())


def outcome_of(client: Client) -> object:
    try:
        return client.run(client.service.status("op-1")).vendor_status
    except DocConvError as error:
        return error


def wait_everywhere(settings: Settings, count: int = 200) -> list[object]:
    """Ask half in threads, half in two loops."""
    with ThreadPoolExecutor(3) as sides:
        found = [
            sides.submit(wait_in_threads, settings, count // 2),
            sides.submit(wait_in_a_loop, settings, count // 4),
            sides.submit(wait_in_a_loop, settings, count // 4),
        ]
        return [each for side in found for each in side.result()]


WAITERS = {"loop": lambda settings: wait_in_a_loop(settings, 200), "everywhere": wait_everywhere}


@pytest.mark.parametrize("wait", WAITERS.values(), ids=list(WAITERS))
def test_two_hundred_waits_log_in_once(wait: Callable[[Settings], list[object]]) -> None:
    with Crowded(RUNNING) as server:
        assert wait(settings_for(server.url)) == ["Started"] * 200
    assert (len(server.logins), len(server.calls)) == (1, 200)


def test_a_refused_token_is_renewed_once_for_all() -> None:
    def answer(seen: Seen) -> Answer:
        return Answer(b"", 401) if seen.headers["authorization"] == "Bearer token-1" else RUNNING

    with Hostile(answer=answer) as server:
        assert wait_everywhere(settings_for(server.url)) == ["Started"] * 200
    assert len(server.logins) == 2


def test_refused_credentials_are_sent_once() -> None:
    with Hostile(RUNNING, logins=[Answer({"error": "invalid_client"}, 400)]) as server:
        errors = wait_everywhere(settings_for(server.url))
    assert {(type(error), str(error)) for error in errors} == {(AuthenticationFailed, str(errors[0]))}
    # Each gets one of its own: the document is added to it.
    assert len({id(error) for error in errors}) == 200
    assert (len(server.logins), len(server.calls)) == (1, 0)


def test_a_login_that_is_down_is_not_asked_by_one_waiter_after_the_other(real_delays: None) -> None:
    with Hostile(RUNNING, logins=[Answer(b"404 page not found", 404), token(1)]) as server:
        client = Client(settings_for(server.url))
        for _ in range(200):
            with pytest.raises(LoginUnavailable):
                client.run(client.service.status("op-1"))
        assert len(server.logins) == 1
        session_of(client.settings).forget_login()
        assert client.run(client.service.status("op-1")).vendor_status == "Started"


def test_a_login_outlives_the_caller_that_started_it() -> None:
    release = threading.Event()

    class Slow(Hostile):
        def _next(self, seen: Seen) -> Answer:
            if seen.path == "/connect/token":
                asked.set()
                release.wait(10)
            return super()._next(seen)

    async def cancel_if_running(settings: Settings) -> None:
        async with shared_async_client(settings) as client:
            first = asyncio.create_task(client.run(client.service.status("op-1")))
            await asyncio.to_thread(asked.wait, 10)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first

    asked = threading.Event()
    with Slow(RUNNING) as server, ThreadPoolExecutor(1) as other:
        settings = settings_for(server.url)
        client = Client(settings)
        asyncio.run(cancel_if_running(settings))
        waiting = other.submit(client.run, client.service.status("op-1"))
        release.set()
        assert waiting.result().vendor_status == "Started"
    assert len(server.logins) == 1


@pytest.mark.parametrize("wait", [wait_in_threads, wait_in_a_loop])
@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_calls_at_once(wait: Callable[[Settings, int], list[object]], at_once: int) -> None:
    with Crowded(RUNNING) as server:
        assert wait(settings_for(server.url, max_concurrent_calls=at_once), 30) == ["Started"] * 30
    assert len(server.calls) == 30
    assert server.peak == at_once


def test_many_waits_open_few_sockets() -> None:
    sockets: set[object] = set()

    class Counting(Hostile):
        def _handler(self) -> Any:
            kind = super()._handler()

            class Handler(kind):
                def setup(self) -> None:
                    sockets.add(self.client_address)
                    super().setup()

            return Handler

    with Counting(RUNNING) as server:
        wait_in_a_loop(settings_for(server.url, max_concurrent_calls=5), 1000)
    assert len(server.calls) == 1000
    # One is the login's.
    assert len(sockets) <= 5 + 1


class Counted:
    """A limit that grants every second request."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self) -> float:
        self.asked += 1
        return 0.001 * (self.asked % 2)

    async def acquire_async(self) -> float:
        return self.acquire()


def test_every_call_of_both_clients_asks_the_limit_and_so_does_a_login() -> None:
    with Hostile(RUNNING) as server:
        settings = settings_for(server.url, max_calls_per_second=1000)
        limit = session_of(settings).rate_limit = Counted()
        assert outcome_of(Client(settings)) == "Started"
        assert wait_in_a_loop(settings, 3) == ["Started"] * 3
        assert len(server.seen) == 5
    assert limit.asked == 10


def test_a_pause_that_one_client_is_told_to_make_holds_for_the_other(real_delays: None) -> None:
    busy = Answer(b"", 429, {"Retry-After": "3600"})
    with Hostile(busy, RUNNING) as server:
        settings = settings_for(server.url)
        [error] = wait_in_a_loop(settings, 1)
    assert isinstance(error, ServiceUnavailable)
    assert 50 <= session_of(settings).pause_left <= 60


def test_nothing_is_sent_during_a_pause(make_client: MakeClient, real_delays: None) -> None:
    with Hostile(RUNNING) as server:
        client = make_client(server.url)
        client.status()
        end = time.monotonic() + 0.3
        session_of(client.settings).pause(0.3)
        assert client.status().vendor_status == "Started"
        assert time.monotonic() >= end


RATES = [
    (1, 1, 1.0),
    (2, 2, 1.0),
    (2.5, 5, 2.0),
    (0.5, 1, 2.0),
    (1 / 3, 1, 3.0),
    (0.001, 1, 1000.0),
    (10_000, 10_000, 1.0),
]


@pytest.mark.parametrize(("per_second", "calls", "window"), RATES)
def test_no_window_holds_more_calls_than_the_limit(
    per_second: float, calls: int, window: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    limit = RateLimit(per_second)
    for _ in range(calls):
        assert limit.acquire() == 0
    assert limit.acquire() == pytest.approx(window)
    now[0] += 0.6 * window
    assert limit.acquire() == pytest.approx(0.4 * window)
    now[0] += 0.5 * window
    assert limit.acquire() == 0


def test_only_a_connection_with_a_limit_loads_the_library() -> None:
    program = """
import sys
from airflow_provider_docconv.client.session import session_of
from airflow_provider_docconv.client.session import session_of
from airflow_provider_docconv.client.settings import Settings
session_of(Settings("aspose_slides", "id", "secret"))
assert "limits" not in sys.modules
session_of(Settings("aspose_slides", "id", "secret", max_calls_per_second=5))
assert "limits" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_session_of_a_closed_loop_is_never_used_again() -> None:
    kept = []

    async def use(settings: Settings) -> None:
        lent = shared_async_client(settings)
        client = await lent.__aenter__()
        await client.run(client.service.status("op-1"))
        kept.append((lent, client))

    with Hostile(RUNNING) as server:
        settings = settings_for(server.url)
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(use(settings))
            loop.close()
        assert wait_in_a_loop(settings, 2) == ["Started"] * 2
    assert len({id(client) for _, client in kept}) == 3
    assert len(server.logins) == 1
    kept.clear()
    gc.collect()
    assert not asynchronous._shared


def test_a_child_begins_without_a_token() -> None:
    with Hostile(RUNNING) as server:
        settings = settings_for(server.url)
        assert outcome_of(Client(settings)) == "Started"
        child = os.fork()
        if not child:
            os._exit(outcome_of(Client(settings)) != "Started")
        assert os.waitpid(child, 0)[1] == 0
    assert len(server.logins) == 2


def test_a_token_that_another_client_has_fetched_is_told() -> None:
    told: list[str] = []
    with Hostile(RUNNING) as server:
        settings = settings_for(server.url)
        wait_in_a_loop(settings, 1)
        Client(settings, told.append)
    assert told == ["token-1"]
