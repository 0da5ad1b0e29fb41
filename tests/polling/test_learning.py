"""A batch learns how long operations take only from those that were watched."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_docconv.batch.pipeline import Conversions, Limits, Pipeline, Transfers
from airflow_provider_docconv.batch.record import DocumentState, Entry
from airflow_provider_docconv.polling import Wait
from airflow_provider_docconv.services.operations import Operation, OperationState
from tests.support.batches import empty_batch

LIMITS = Limits(
    in_flight=8,
    transfers=1,
    poke_interval=1,
    max_poke_interval=60,
    fault_tolerance=900,
    deadline=1e11,
    grace=None,
    max_result_size=1 << 30,
    unpack=False,
    cleanup=False,
)


class EndedAtOnce(Conversions):
    """All its operations have ended when they are asked for."""

    async def _poll(self, wait: Wait, *_: Any) -> Operation:
        return Operation(wait.operation_id, OperationState.SUCCEEDED, "Finished")


@pytest.fixture
def conversions() -> EndedAtOnce:
    hook: Any = SimpleNamespace(service=SimpleNamespace(label="X"), get_conn=lambda: None)
    return EndedAtOnce(empty_batch(), hook, LIMITS, Transfers(1))


def started(number: int, age: float) -> Entry:
    at = time.time() - age
    return Entry(str(number), "f", DocumentState.STARTED, operation_id=f"op-{number}", started=at)


def poll(conversions: EndedAtOnce, *entries: Entry, fresh: bool) -> None:
    async def poll_all() -> None:
        for entry in entries:
            await conversions._poll_until_ended(entry, fresh=fresh)

    asyncio.run(poll_all())


def test_from_those_that_it_started_itself(conversions: EndedAtOnce) -> None:
    poll(conversions, *(started(number, 50) for number in range(8)), fresh=True)
    assert conversions.pace.typical == pytest.approx(45, rel=0.1)


def test_what_the_trigger_has_learned(conversions: EndedAtOnce) -> None:
    pipeline = Pipeline(empty_batch(), {}, LIMITS, print)
    pipeline._conversions["docs"] = conversions
    pipeline.add_seen("docs", {f"op-{number}": time.time() - 40 for number in range(8)}, (), typical=9.0)
    # How long these were queued is not known.
    poll(conversions, *(started(number, 50) for number in range(8)), fresh=False)
    assert conversions.pace.typical == pipeline.typical("docs") == 9.0


def test_but_not_from_those_that_an_earlier_try_left_behind(conversions: EndedAtOnce) -> None:
    poll(conversions, *(started(number, 5000) for number in range(20)), fresh=False)
    assert conversions.pace.typical == 0


def test_what_the_trigger_saw_running_is_not_asked_for_at_once(conversions: EndedAtOnce) -> None:
    waits: list[float] = []

    async def record_first(_: object, wait: Wait, first: float) -> Operation:
        waits.append(first)
        return Operation(wait.operation_id, OperationState.SUCCEEDED, "")

    conversions._polling = SimpleNamespace()  # type: ignore[assignment]
    wait = Wait("op-1", "X", deadline=1e11, pace=conversions.pace, started=time.time() - 50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_docconv.batch.pipeline.apoll_until_ended", record_first)
        for unknown in (None, {"op-1"}, set[str]()):
            conversions.unknown = unknown
            asyncio.run(Conversions._poll(conversions, wait, fresh=False))
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] == pytest.approx(10, rel=0.1)
