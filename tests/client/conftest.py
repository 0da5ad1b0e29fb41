from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_docconv.client.session import forget_sessions
from airflow_provider_docconv.testing import no_delays, set_testing
from tests.support.clients import EitherClient, MakeClient, settings_for


@pytest.fixture(params=["blocking", "asynchronous"])
def make_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Make clients, each with a session and a token of its own, as if it were alone in a process."""
    made: list[EitherClient] = []

    def make(url: str, service: str = "aspose_slides", **values: Any) -> EitherClient:
        forget_sessions()
        made.append(EitherClient(request.param, settings_for(url, service, **values)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def delays() -> Iterator[list[float]]:
    """Wait for nothing, and write down the delays that there would have been."""
    with no_delays() as noted:
        yield noted


@pytest.fixture
def real_delays(delays: list[float]) -> Iterator[None]:
    """Wait as long as it takes."""
    set_testing(False)
    yield
    set_testing()
