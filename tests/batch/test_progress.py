"""Lines in the log: soon at first, then rarer, in words that a person reads."""

from __future__ import annotations

import logging
import time

import pytest

from airflow_provider_docconv.batch.batch import Batch
from airflow_provider_docconv.batch.pipeline import ProgressLog
from airflow_provider_docconv.batch.record import DocumentState
from tests.support.batches import add, empty_batch, move


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def batch() -> Batch:
    return empty_batch()


def fill(batch: Batch, count: int) -> None:
    for number in range(count):
        add(batch, f"{number}")


def end(batch: Batch, state: str, count: int) -> None:
    waiting = [each for each in batch.documents.values() if each.entry.state_in(batch.run) is DocumentState.WAITING]
    for document in waiting[:count]:
        move(batch, document, state)


def test_lines_come_at_growing_intervals(clock: Clock, batch: Batch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fill(batch, 10)
    progress, seen = ProgressLog(batch), []
    for second in range(300):
        clock.now = 1000.0 + second
        progress.log(3)
        seen += [second] * (len(caplog.messages) - len(seen))
    assert seen == [5, 15, 30, 60, 120, 180, 240]


def test_a_line_says_how_far_the_batch_is(clock: Clock, batch: Batch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fill(batch, 2000)
    end(batch, "skipped", 500)
    progress = ProgressLog(batch)
    clock.now += 10
    progress.log(100)
    end(batch, "delivered", 4)
    end(batch, "rejected", 1)
    end(batch, "failed", 2)
    clock.now += 10
    progress.log(93)
    assert caplog.messages == [
        "500 of 2,000 documents done (25 %), 100 in flight",
        "507 of 2,000 documents done (25 %), 93 in flight, 3 of them not converted, 0.35 a second, "
        "about 1 h 11 min left",
    ]


def test_the_end_is_a_hundred_percent(clock: Clock, batch: Batch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fill(batch, 3)
    progress = ProgressLog(batch)
    end(batch, "delivered", 3)
    clock.now += 6
    progress.log(0)
    assert caplog.messages == ["3 of 3 documents done (100 %), 0 in flight, 0.5 a second"]


def test_an_empty_batch_has_nothing_to_divide_by(clock: Clock, batch: Batch) -> None:
    progress = ProgressLog(batch)
    clock.now += 10
    progress.log(0)


@pytest.mark.parametrize("done", [1, 99, 1000, 9999])
@pytest.mark.parametrize("seconds", [6, 60, 86400])
def test_rates_are_written_as_people_write_them(
    done: int, seconds: int, clock: Clock, batch: Batch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fill(batch, 10_000)
    progress = ProgressLog(batch)
    end(batch, "delivered", done)
    clock.now += seconds
    progress.log(1)
    [line] = caplog.messages
    assert f"{done:,} of 10,000 documents done" in line
    assert "e+" not in line
    assert "e-" not in line
