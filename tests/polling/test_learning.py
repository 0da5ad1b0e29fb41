"""A batch learns how long operations take only from those that were watched."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_provider_docconv.batch.table import Table

from airflow_provider_docconv.batch.pipeline import Limits, Pipeline
from airflow_provider_docconv.batch.record import Entry, Journal, Progress, Run
from airflow_provider_docconv.services.operations import Operation, OperationState

LIMITS = Limits(
    in_flight=8, transfers=1, poke_interval=1, max_poke_interval=60, fault_tolerance=900, deadline=1e11, grace=None
)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    async def ended_at_once(_: Pipeline, operation_id: str, *__: Any) -> Operation:
        return Operation(operation_id, OperationState.SUCCEEDED, "Finished")

    monkeypatch.setattr(Pipeline, "_watch", ended_at_once)
    hook: Any = SimpleNamespace(service=SimpleNamespace(label="X"))
    with Table() as table:
        yield Pipeline(table, Journal({}), hook, [], Run("r", 0), 0.0, True, LIMITS, logging.getLogger())


def started(number: int, age: float) -> Entry:
    at = time.time() - age
    return Entry(str(number), "f", Progress.STARTED, operation_id=f"op-{number}", started=at)


def watch(pipeline: Pipeline, *entries: Entry, fresh: bool) -> None:
    async def all_of_them() -> None:
        for entry in entries:
            await pipeline.watch(entry, fresh=fresh)

    asyncio.run(all_of_them())


def test_from_those_that_it_started_itself(pipeline: Pipeline) -> None:
    watch(pipeline, *(started(number, 50) for number in range(8)), fresh=True)
    assert pipeline.pace.typical == pytest.approx(45, rel=0.1)


def test_from_those_that_the_trigger_watched(pipeline: Pipeline) -> None:
    for number in range(8):
        pipeline.know(Operation(f"op-{number}", OperationState.SUCCEEDED, ""), time.time() - 40)
    watch(pipeline, *(started(number, 50) for number in range(8)), fresh=False)
    assert pipeline.pace.typical == pytest.approx(9, rel=0.1)


def test_but_not_from_those_that_an_earlier_try_left_behind(pipeline: Pipeline) -> None:
    watch(pipeline, *(started(number, 5000) for number in range(20)), fresh=False)
    assert pipeline.pace.typical == 0
