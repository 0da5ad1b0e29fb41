"""Lines in the log: soon at first, then rarer, in words that a person reads."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from airflow_provider_docconv.batch.table import Table

from airflow_provider_docconv.batch.pipeline import ProgressLog, duration
from airflow_provider_docconv.batch.record import ConversionRequest, Entry


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
def table() -> Iterator[Table]:
    with Table() as table:
        yield table


def fill(table: Table, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        table.add(ConversionRequest(f"s3://b/{number}", f"s3://b/pdf/{number}", "pdf", 0, "f", versioned=True))


def end(table: Table, state: str, count: int) -> None:
    for _ in range(count):
        wanted, _ = table.next("waiting", state) or pytest.fail("nothing waits")
        table.save(Entry(wanted.key, "f"), state)


def log_of(table: Table) -> ProgressLog:
    return ProgressLog(table, logging.getLogger("progress of a test"))


def test_lines_come_at_growing_intervals(clock: Clock, table: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fill(table, 10)
    progress, told = log_of(table), []
    for second in range(300):
        clock.now = 1000.0 + second
        progress.tell(3)
        told += [second] * (len(caplog.messages) - len(told))
    assert told == [5, 15, 30, 60, 120, 180, 240]


def test_a_line_says_how_far_the_batch_is(clock: Clock, table: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fill(table, 2000)
    end(table, "skipped", 500)
    progress = log_of(table)
    clock.now += 10
    progress.tell(100)
    end(table, "delivered", 4)
    end(table, "rejected", 1)
    end(table, "failed", 2)
    clock.now += 10
    progress.tell(93)
    assert caplog.messages == [
        "500 of 2,000 documents done (25 %), 100 in flight",
        "507 of 2,000 documents done (25 %), 93 in flight, 3 of them not converted, 0.35 a second, about 71 min left",
    ]


def test_the_end_is_a_hundred_percent(clock: Clock, table: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fill(table, 3)
    progress = log_of(table)
    end(table, "delivered", 3)
    clock.now += 6
    progress.tell(0)
    assert caplog.messages == ["3 of 3 documents done (100 %), 0 in flight, 0.5 a second, about 0 s left"]


def test_an_empty_batch_has_nothing_to_divide_by(clock: Clock, table: Table) -> None:
    progress = log_of(table)
    clock.now += 10
    progress.tell(0)


@pytest.mark.parametrize("done", [1, 99, 1000, 9999])
@pytest.mark.parametrize("seconds", [6, 60, 86400])
def test_rates_are_written_as_people_write_them(
    done: int, seconds: int, clock: Clock, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fill(table, 10_000)
    progress = log_of(table)
    end(table, "delivered", done)
    clock.now += seconds
    progress.tell(1)
    [line] = caplog.messages
    assert f"{done:,} of 10,000 documents done" in line
    assert "e+" not in line
    assert "e-" not in line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (1.6, "2 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (150, "2 min"),
        (600, "10 min"),
        (5369, "89 min"),
        (5400, "1 h 30 min"),
        (7200, "2 h 00 min"),
        (7259, "2 h 01 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_are_said_in_words_of_a_person(seconds: float, words: str) -> None:
    assert duration(seconds) == words
