from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from carriers import Carrier, MakeCarrier, settings_for

from airflow_provider_docconv.client import retries


@pytest.fixture(params=["blocking", "asynchronous"])
def carrier(request: pytest.FixtureRequest) -> Iterator[MakeCarrier]:
    """Make carriers, each with a session and a token of its own."""
    made: list[Carrier] = []

    def make(url: str, service: str = "aspose_slides", **values: Any) -> Carrier:
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
    """Write down this thread's waits instead of waiting; the sandbox and the servers, in others, go on as ever."""
    taken: list[float] = []
    here = threading.get_ident()
    real_sleep, real_nap = time.sleep, asyncio.sleep

    def sleep(seconds: float) -> None:
        if threading.get_ident() == here:
            taken.append(seconds)
        else:
            real_sleep(seconds)

    async def nap(seconds: float, result: object = None) -> object:
        if threading.get_ident() != here:
            return await real_nap(seconds, result)
        taken.append(seconds)
        return await real_nap(0, result)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(asyncio, "sleep", nap)
    return taken
