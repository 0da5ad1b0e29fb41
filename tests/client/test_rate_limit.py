"""A rate limit that holds for all processes, at a real Redis."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_docconv.client.rate_limit import RateLimit
from airflow_provider_docconv.client.session import Session
from dev.processes import free_ports
from dev.redis import Redis
from docconv_sandbox import Sandbox
from tests.support.clients import settings_for

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("real_delays")]
ACCOUNT = "aspose_slides https://host the-id"
# Sends calls with one of the clients, and prints for each when it asked and when it was granted.
WORKER = """
import asyncio, json, sys, time
from airflow_provider_docconv.client.rate_limit import RateLimit
from airflow_provider_docconv.client.settings import Settings

kind, calls, values = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
granted = []

def noting(acquire):
    def noted(self):
        before = time.time()
        seconds = acquire(self)
        if not seconds:
            granted.append((before, time.time()))
        return seconds
    return noted

def noting_async(acquire):
    async def noted(self):
        before = time.time()
        seconds = await acquire(self)
        if not seconds:
            granted.append((before, time.time()))
        return seconds
    return noted

RateLimit.acquire = noting(RateLimit.acquire)
RateLimit.acquire_async = noting_async(RateLimit.acquire_async)
settings = Settings("aspose_slides", "sandbox", **values)

async def main():
    from airflow_provider_docconv.client.asynchronous import shared_async_client

    async def poll(client):
        for _ in range(calls // 2):
            await client.run(client.service.remote_storage().exists(document))

    async with shared_async_client(settings) as client:
        await asyncio.gather(poll(client), poll(client))

from airflow_provider_docconv.services.documents import RemoteDocument
document = RemoteDocument("none.pptx", "Main")
if kind == "blocking":
    from airflow_provider_docconv.client.blocking import Client
    with Client(settings) as client:
        for _ in range(calls):
            client.run(client.service.remote_storage().exists(document))
else:
    asyncio.run(main())
print(json.dumps(granted))
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_docconv")


def limit(redis: Redis, per_second: float = 1000, account: str = ACCOUNT) -> RateLimit:
    """Return the limit as another process would make it."""
    return RateLimit(per_second, redis.url, account)


def test_it_holds_for_many_processes_of_both_kinds(redis: Redis) -> None:
    per_second, calls = 20, 12
    with Sandbox(engine="echo", storages=("Main",)) as sandbox:
        values = {
            "password": sandbox.client_secret,
            "host": sandbox.url,
            "max_calls_per_second": per_second,
            "rate_limit_url": redis.url,
        }
        command = [sys.executable, "-c", WORKER]
        workers = [
            subprocess.Popen([*command, kind, str(calls), json.dumps(values)], stdout=subprocess.PIPE, text=True)
            for kind in ("blocking", "asynchronous") * 3
        ]
        printed = [worker.communicate()[0] for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * 6
        counted = sum(sandbox.stats()["calls"].values())
    granted = [tuple(each) for text in printed for each in json.loads(text)]
    assert counted == len(granted) == 6 * (calls + 1)  # Each process logs in, too.
    assert closest(granted, per_second + 1) >= 1.0


def closest(granted: list[tuple[float, float]], count: int) -> float:
    """Return the seconds within which so many calls were granted at least once, whatever happened while they asked."""
    ordered = sorted(granted)
    windows = (ordered[at : at + count] for at in range(len(ordered) - count + 1))
    return min(max(end for _, end in window) - window[0][0] for window in windows)


def test_without_the_server_the_same_processes_exceed_it() -> None:
    """The test above can fail: each process has a limit of its own."""
    own = [RateLimit(20) for _ in range(6)]
    assert [each.acquire() for each in own for _ in range(20)] == [0.0] * 120


def test_two_processes_share_it_and_two_accounts_do_not(redis: Redis) -> None:
    first, second, other = limit(redis, 1 / 60), limit(redis, 1 / 60), limit(redis, 1 / 60, "another account")
    assert first.acquire() == 0
    assert 50 < second.acquire() <= 60
    assert 50 < asyncio.run(limit(redis, 1 / 60).acquire_async()) <= 60
    assert other.acquire() == 0


def test_a_pause_that_one_process_is_asked_to_make_holds_for_all(redis: Redis) -> None:
    settings = settings_for("http://127.0.0.1:1", max_calls_per_second=1000, rate_limit_url=redis.url)
    session = Session(settings)
    other = RateLimit(1000, redis.url, settings.account)
    assert other.acquire() == 0
    session.pause(50)
    session.pause(10)
    wait_for_threads(session.rate_limit)
    assert 40 < other.acquire() <= 50
    assert 40 < asyncio.run(other.acquire_async()) <= 50
    assert limit(redis, account="another account of the same host").acquire() == 0


def wait_for_threads(rate_limit: RateLimit | None) -> None:
    assert rate_limit
    assert rate_limit._shared
    rate_limit._shared._threads.shutdown(wait=True)


def test_without_the_server_each_process_keeps_to_the_limit_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    alone = RateLimit(2, f"redis://:the-password@127.0.0.1:{port}/0", ACCOUNT)
    assert [alone.acquire(), asyncio.run(alone.acquire_async())] == [0, 0]
    assert alone.acquire() > 0
    [warning] = [record.getMessage() for record in caplog.records]
    assert "max_calls_per_second holds for each process by itself" in warning
    assert "the-password" not in warning


def test_a_server_that_went_away_and_came_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Redis(tmp_path)
    with server:
        shared = limit(server)
        assert shared.acquire() == 0
    assert shared.acquire() == 0
    assert len(caplog.records) == 1
    again = Redis(tmp_path / "again")
    again.port, again.password = server.port, server.password
    with again:
        shared._shared._left_alone_until = 1e-9  # As if half a minute had passed.
        assert shared.acquire() == 0
        shared.acquire()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_wrong_password_is_not_logged(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    url = redis.url.replace(redis.password, "not-the-password")
    assert RateLimit(5, url, ACCOUNT).acquire() == 0
    assert len(caplog.records) == 1
    assert "not-the-password" not in caplog.text
    assert redis.password not in caplog.text


def test_a_server_that_says_nothing_does_not_hold_the_event_loop() -> None:
    turns = 0

    async def main(url: str) -> list[float]:
        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(turn())
        granted = await asyncio.gather(*(silent.acquire_async() for silent in [RateLimit(1000, url, ACCOUNT)] * 20))
        ticking.cancel()
        return granted

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        assert asyncio.run(main(f"redis://127.0.0.1:{listening.getsockname()[1]}/0")) == [0.0] * 20
    assert turns > 20


def test_the_driver_may_be_missing(redis: Redis) -> None:
    program = """
import sys
sys.modules["redis"] = None
from airflow_provider_docconv.client.rate_limit import RateLimit
RateLimit(5, "redis://127.0.0.1/0", "account").acquire()
"""
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert "InvalidOptions: rate_limit_url of the connection needs the package redis" in done.stderr
    assert "install airflow-provider-docconv[redis]" in done.stderr


def test_the_address_is_shown_nowhere(redis: Redis) -> None:
    settings = settings_for("http://127.0.0.1:1", max_calls_per_second=1, rate_limit_url=redis.url)
    assert redis.password not in repr(settings)
    assert redis.password not in repr(Session(settings))


def test_calls_that_were_granted_too_close_to_each_other_would_be_found() -> None:
    granted = [(0.1 * number, 0.1 * number + 0.05) for number in range(30)]
    assert closest(granted, 11) >= 1.0
    assert closest([*granted, (1.0, 1.01)], 11) < 1.0
