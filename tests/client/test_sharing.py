"""One token and one budget for everybody who uses a connection in a process: threads, and coroutines in any loop."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_docconv.client import asynchronous, retries
from airflow_provider_docconv.client.asynchronous import shared_async_client
from airflow_provider_docconv.client.blocking import Client
from airflow_provider_docconv.client.settings import Settings
from airflow_provider_docconv.services.errors import AuthenticationFailed, DocConvError, ServiceUnavailable
from tests.support.clients import MakeCarrier, settings_for
from tests.support.hostile import Answer, Hostile, Seen, date_in

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
                return (await client.run(client.service.status("op-1"))).word
            except DocConvError as error:
                return error

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(ask() for _ in range(count)))

    return asyncio.run(all_of_them())


def outcome_of(client: Client) -> object:
    try:
        return client.run(client.service.status("op-1")).word
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
    assert server.peak <= 20


def test_a_token_that_everybody_is_refused_with_is_renewed_once() -> None:
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


def test_a_login_is_no_matter_of_who_asked_first() -> None:
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
        assert waiting.result().word == "Started"
    assert len(server.logins) == 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_at_once(at_once: int) -> None:
    with Crowded(RUNNING) as server:
        wait_everywhere(settings_for(server.url, max_concurrent_calls=at_once), 60)
    assert len(server.calls) == 60
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


BUSY = [
    (429, lambda: "20", 19, 20),
    (503, lambda: "20", 19, 20),
    (429, lambda: date_in(20), 1, 20),
    (503, lambda: date_in(20), 1, 20),
    (429, lambda: "3600", 59, 60),
]


@pytest.mark.parametrize(("status", "header", "least", "most"), BUSY)
def test_who_is_answered_that_it_is_too_much_makes_everybody_wait(
    carrier: MakeCarrier,
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    header: Callable[[], str],
    least: float,
    most: float,
) -> None:
    monkeypatch.setattr(retries, "_ATTEMPTS", 1)
    with Hostile(Answer(b"", status, {"Retry-After": header()}), RUNNING) as server, Hostile(RUNNING) as elsewhere:
        first = carrier(server.url)
        others = [Client(first.settings), Client(settings_for(elsewhere.url))]
        with pytest.raises(ServiceUnavailable):
            first.status()
        assert [outcome_of(each) for each in reversed(others)] == ["Started"] * 2
    [nap] = naps
    assert least <= nap <= most


@pytest.mark.parametrize("answer", [Answer(b"", 503), Answer(b"", 502, {"Retry-After": "20"})], ids=["503", "502"])
def test_a_mere_fault_makes_nobody_else_wait(
    carrier: MakeCarrier, naps: list[float], monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(retries, "_ATTEMPTS", 1)
    with Hostile(answer, RUNNING) as server:
        first = carrier(server.url)
        with pytest.raises(ServiceUnavailable):
            first.status()
        assert outcome_of(Client(first.settings)) == "Started"
    assert naps == []


def test_the_rate_is_kept_by_both_clients_together(naps: list[float]) -> None:
    with Hostile(RUNNING) as server:
        settings = settings_for(server.url, max_calls_per_second=0.5)
        outcome_of(Client(settings))
        wait_in_a_loop(settings, 1)
    # The login comes first, and the third call is the loop's.
    assert [round(nap) for nap in naps] == [2, 2]


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


# Whoever closes a loop under its tasks is told so by asyncio.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_closed_loop_leaves_behind_takes_no_place() -> None:
    first = [Answer(fault="hang")]

    async def leave_behind(settings: Settings) -> None:
        lent = shared_async_client(settings)
        client = await lent.__aenter__()
        tasks = [asyncio.create_task(client.run(client.service.status("op-1"))) for _ in range(3)]
        await asyncio.wait(tasks, timeout=0.3)

    with Hostile(answer=lambda _: first.pop() if first else RUNNING) as server:
        settings = settings_for(server.url, max_concurrent_calls=1)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(leave_behind(settings))
        loop.close()
        del loop
        gc.collect()
        assert not first
        assert outcome_of(Client(settings)) == "Started"


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
