from __future__ import annotations

import asyncio
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
    """Write down the waits instead of waiting."""
    taken: list[float] = []
    sleep = asyncio.sleep

    async def nap(seconds: float) -> None:
        taken.append(seconds)
        await sleep(0)

    monkeypatch.setattr(time, "sleep", taken.append)
    monkeypatch.setattr(asyncio, "sleep", nap)
    return taken
