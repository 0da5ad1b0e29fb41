from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_docconv.client import retries, tokens, turns
from airflow_provider_docconv.client.account import forget_accounts
from tests.support.clients import Carrier, MakeCarrier, settings_for


@pytest.fixture(params=["blocking", "asynchronous"])
def carrier(request: pytest.FixtureRequest) -> Iterator[MakeCarrier]:
    """Make carriers, each with a session and a token of its own, as if it were alone in a process."""
    made: list[Carrier] = []

    def make(url: str, service: str = "aspose_slides", **values: Any) -> Carrier:
        forget_accounts()
        made.append(Carrier(request.param, settings_for(url, service, **values)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_DELAY", 0.0)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """
    Write down the waits of this thread and of its logins instead of waiting; the budget's clock goes on by them.

    The sandbox and the servers, in other threads, go on as ever.
    """
    taken: list[float] = []
    here = threading.get_ident()
    real_sleep, real_nap, real_clock = time.sleep, asyncio.sleep, time.monotonic

    def sleep(seconds: float) -> None:
        if threading.get_ident() == here or threading.current_thread().name == tokens.THREAD:
            taken.append(seconds)
        else:
            real_sleep(seconds)

    async def nap(seconds: float, result: object = None) -> object:
        if threading.get_ident() != here:
            return await real_nap(seconds, result)
        taken.append(seconds)
        return await real_nap(0, result)

    monkeypatch.setattr(turns, "monotonic", lambda: real_clock() + sum(taken))
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(asyncio, "sleep", nap)
    return taken
