"""Polls that are due at nearly the same time are due at the same instant, and nothing else changes. Pure arithmetic."""

from __future__ import annotations

import subprocess
import sys
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.polling import Pace, Wait, coalesced

NOW = 1_800_000_000.0
DUE = st.floats(NOW, NOW + 1e6)
INTERVALS = st.floats(0.01, 3600)
# What a float can tell apart in our century.
EXACT = 1e-5


def wait(interval: float, deadline: float = float("inf")) -> Wait:
    return Wait("op-1", "X", deadline=deadline, pace=Pace(interval, interval), started=NOW)


@given(due=DUE, interval=INTERVALS)
def test_no_poll_is_moved_far(due: float, interval: float) -> None:
    assert abs(coalesced(due, interval) - due) <= min(interval / 40, 0.125) + EXACT


@given(due=DUE, interval=INTERVALS, other=INTERVALS)
def test_waits_of_different_intervals_share_instants(due: float, interval: float, other: float) -> None:
    shared = coalesced(due, max(interval, other))
    assert coalesced(shared, min(interval, other)) == pytest.approx(shared, abs=EXACT, rel=0)


def test_a_thousand_waits_are_due_at_a_few_instants() -> None:
    instants = {round(now + wait(5).until_next(now), 4) for now in (NOW + 5 * each / 1000 for each in range(1000))}
    assert len(instants) <= 21


@given(st.floats(0, 0.12))
def test_a_reply_that_takes_its_time_does_not_stretch_the_interval(latency: float) -> None:
    due = coalesced(NOW, 5)
    assert due + latency + wait(5).until_next(due + latency) == pytest.approx(due + 5, abs=EXACT, rel=0)


def test_polls_are_no_later_on_average() -> None:
    moved = [coalesced(NOW + each / 1000, 5) - NOW - each / 1000 for each in range(10_000)]
    assert abs(fmean(moved)) < 0.001


@given(now=DUE, left=st.floats(-10, 10), interval=st.floats(0, 3600))
def test_no_poll_is_in_the_past_or_after_the_deadline(now: float, left: float, interval: float) -> None:
    delay = wait(interval, now + left).until_next(now)
    assert 0 <= delay <= max(0.0, left + EXACT)


def test_each_process_has_instants_of_its_own() -> None:
    program = "from airflow_provider_docconv.waiting import coalesced; print(coalesced(1e9, 5))"
    shown = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(3)}
    assert len(shown) == 3
