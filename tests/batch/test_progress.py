"""How far a batch is: soon at first, then rarer, in words that a person reads, and with an honest estimate."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from airflow_provider_docconv.batch.batch import Batch
from airflow_provider_docconv.batch.progress import Progress, Schedule
from airflow_provider_docconv.batch.record import DocumentState
from tests.support.batches import add, empty_batch, move

NOW = 1_800_000_000.0


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


def end(batch: Batch, state: str, count: int) -> None:
    waiting = [each for each in batch.documents.values() if each.entry.state_in(batch.run) is DocumentState.WAITING]
    for document in waiting[:count]:
        move(batch, document, state)


def start(batch: Batch, count: int, seconds_ago: float, took: float | None = None) -> None:
    waiting = [each for each in batch.documents.values() if each.entry.state_in(batch.run) is DocumentState.WAITING]
    for document in waiting[:count]:
        document.entry = replace(
            document.entry,
            state=DocumentState.STARTED if took is None else DocumentState.DELIVERED,
            run=batch.run.id,
            operation_id="op",
            started=NOW - seconds_ago,
            ended=None if took is None else NOW - seconds_ago + took,
        )


def told(clock: Clock, seconds: int, progress: Progress | None = None) -> list[int]:
    schedule, told = Schedule(), []
    for second in range(seconds):
        clock.now = 1000.0 + second
        if schedule.is_due() and schedule.is_news(progress or Progress(documents=9000, delivered=second)):
            told.append(second)
    return told


def test_it_is_told_at_growing_intervals(clock: Clock) -> None:
    assert told(clock, 300) == [5, 15, 30, 60, 120, 180, 240]


def test_what_has_not_changed_is_told_now_and_then(clock: Clock) -> None:
    assert told(clock, 2000, Progress(documents=1, in_flight=1)) == [5, 605, 1205, 1805]


def test_calls_alone_are_no_news(clock: Clock) -> None:
    schedule = Schedule()
    clock.now += 5
    assert schedule.is_news(Progress(documents=1, in_flight=1, calls=1))
    clock.now += 60
    assert not schedule.is_news(Progress(documents=1, in_flight=1, calls=9))


def test_a_line_says_how_far_the_batch_is(batch: Batch) -> None:
    for number in range(2000):
        add(batch, f"{number}")
    end(batch, "skipped", 500)
    assert batch.progress().sentence(NOW) == "500 of 2,000 documents done (25 %); 500 skipped, 1,500 waiting"
    start(batch, 120, seconds_ago=120, took=30)
    start(batch, 100, seconds_ago=30)
    end(batch, "rejected", 1)
    end(batch, "failed", 2)
    batch.calls["slides"]["start"] = 220
    assert batch.progress().sentence(NOW) == (
        "623 of 2,000 documents done (31 %); 120 delivered, 500 skipped, 1 rejected, 2 failed, 100 at the service, "
        "1,277 waiting; 60 conversions a minute; about 22 min 57 s left"
    )
    values = batch.progress().values(NOW)
    assert values == {
        "documents": 2000,
        "delivered": 120,
        "skipped": 500,
        "rejected": 1,
        "failed": 2,
        "waiting": 1277,
        "in_flight": 100,
        "ended": 0,
        "calls": 220,
        "converted": 120,
        "per_minute": 60.0,
        "seconds_left": 1377,
        "at": "2027-01-15T08:00:00+00:00",
    }
    counted = ("delivered", "skipped", "rejected", "failed", "waiting", "in_flight", "ended")
    assert sum(values[state] for state in counted) == values["documents"]


def test_only_conversions_count_for_the_estimate(batch: Batch) -> None:
    """One document is rejected after a second, and the others take a minute: a second is no measure for them."""
    for number in range(9):
        add(batch, f"{number}")
    end(batch, "rejected", 1)
    start(batch, 8, seconds_ago=20)
    assert batch.progress().seconds_left(NOW) is None


def test_there_is_no_estimate_before_the_first_ones_can_have_ended() -> None:
    """A hundred are converted side by side: after the quickest, the others are still to come."""
    early = Progress(documents=1000, in_flight=99, waiting=900, ended=1, converted=1, since=NOW - 61, shortest=60)
    assert early.seconds_left(NOW) is None
    later = replace(early, in_flight=100, waiting=800, ended=100, converted=100, since=NOW - 120)
    assert later.per_minute(NOW) == 50
    assert later.seconds_left(NOW) == 1080


def test_what_the_trigger_sees_is_counted_on() -> None:
    progress = Progress(documents=10, delivered=2, in_flight=5, waiting=3, calls=20, converted=2)
    assert progress.with_ended(2, 7) == Progress(
        documents=10, delivered=2, in_flight=3, ended=2, waiting=3, calls=27, converted=4
    )


def test_the_end_is_a_hundred_percent(batch: Batch) -> None:
    for number in range(3):
        add(batch, f"{number}")
    end(batch, "delivered", 3)
    assert batch.progress().sentence(NOW) == "3 of 3 documents done (100 %); 3 delivered"


def test_an_empty_batch_has_nothing_to_divide_by(batch: Batch) -> None:
    assert batch.progress().sentence(NOW) == "0 of 0 documents done (0 %)"
    assert batch.progress().values(NOW)["seconds_left"] is None


@pytest.mark.parametrize("done", [1, 99, 1000, 9999])
@pytest.mark.parametrize("seconds", [6, 60, 86400])
def test_rates_are_written_as_people_write_them(done: int, seconds: int) -> None:
    progress = Progress(
        documents=10_000,
        delivered=done,
        waiting=10_000 - done,
        converted=done,
        since=NOW - seconds,
        shortest=1.0,
    )
    line = progress.sentence(NOW)
    assert f"{done:,} of 10,000 documents done" in line
    assert "conversions a" in line
    assert "e+" not in line
    assert "e-" not in line
