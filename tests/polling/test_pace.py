"""When to poll: few polls, little time lost, never out of bounds. Pure arithmetic, no waiting."""

from __future__ import annotations

import heapq
import math
import random
from statistics import fmean, median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_docconv.polling import Pace, Wait
from airflow_provider_docconv.services.operations import Operation, OperationState

SECONDS = st.floats(0, 1e6)


@pytest.fixture(autouse=True)
def seeded() -> None:
    random.seed(20260101)


def taught(pace: Pace, *durations: float) -> Pace:
    for duration in durations:
        pace.learn(duration)
    return pace


def follow(pace: Pace, duration: float) -> tuple[int, float]:
    """Poll an operation that takes some seconds; return the number of polls and the seconds lost."""
    age, polls = 0.0, 0
    while age < duration or not polls:
        age += pace.after(age)
        polls += 1
    return polls, age - duration


@given(
    shortest=st.floats(0.01, 100),
    longest=st.floats(0.01, 1000),
    typical=SECONDS,
    durations=st.lists(st.floats(-100, 1e6), max_size=80),
    age=SECONDS,
)
@example(shortest=1.0, longest=60.0, typical=0.0, durations=[], age=0.0)
@example(shortest=1.0, longest=60.0, typical=0.0, durations=[], age=3600.0)
def test_no_interval_is_shorter_or_longer_than_was_set(
    shortest: float, longest: float, typical: float, durations: list[float], age: float
) -> None:
    pace = taught(Pace(shortest, longest, typical), *durations)
    for _ in range(10):
        assert shortest <= pace.after(age) <= max(shortest, longest)


def test_intervals_grow_with_age() -> None:
    pace = Pace(1, 60)
    ages = [0, 10, 20, 40, 80, 160, 250]
    means = [fmean(pace.after(age) for _ in range(50)) for age in ages]
    assert means == sorted(means)
    assert means[0] == pytest.approx(1, rel=0.1)
    assert means[3] == pytest.approx(8, rel=0.1)
    assert pace.after(10_000) == pytest.approx(60, rel=0.1)


@pytest.mark.parametrize("age", [10.0, 100.0, 10_000.0])
def test_operations_that_began_together_are_not_polled_together(age: float) -> None:
    pace = Pace(1, 60)
    assert len({pace.after(age) for _ in range(50)}) > 10


@given(st.lists(st.floats(5, 5000), min_size=3, max_size=64))
def test_the_first_poll_comes_late_but_not_later_than_operations_typically_took(durations: list[float]) -> None:
    pace = taught(Pace(1, 1e6), *durations)
    first = pace.after(0)
    assert first >= max(1, 0.9 * min(durations) - 1e-9)
    assert first <= median(durations)
    assert 0 < pace.typical <= first


def test_a_single_operation_teaches_nothing() -> None:
    pace = taught(Pace(1, 60), 600.0)
    assert pace.typical == 0
    assert pace.after(0) <= 1.05


def test_what_is_known_beforehand_counts_until_more_is_learned() -> None:
    pace = Pace(1, 600, 100)
    assert pace.after(0) == 100
    assert pace.after(70) == 30
    assert pace.after(99.5) == 1
    assert pace.after(200) == pytest.approx(40, rel=0.11)
    assert taught(pace, *[10.0] * 8).after(0) == pytest.approx(9)


def test_what_is_queued_is_left_alone_for_longer_than_it_has_waited() -> None:
    pace = Pace(1, 60)
    assert 28 <= pace.after(20, place=1.0) <= 30
    assert pace.after(0, place=1.0) == 1
    assert pace.after(600, place=1.0) == pytest.approx(60, rel=0.1)
    # At least for as long as it will then take.
    assert 28 <= taught(pace, *[33.0] * 3).after(10, place=1.0) <= 30


def polls_of_a_queue(count: int, workers: int, seconds: float, *, tells: bool) -> tuple[list[int], list[float]]:
    """
    Poll operations that were started together, at a service that works on a few at a time.

    :param tells: whether the service says that an operation is queued
    :return: the polls of each, and how many seconds after its end that was noticed
    """
    pace, deadline = Pace(1, 60), 1e9
    waits = [Wait(f"op-{number}", "X", deadline=deadline, pace=pace, started=0.02 * number) for number in range(count)]
    begins = [seconds * (number // workers) for number in range(count)]
    due = [(wait.until_next(0.0), number) for number, wait in enumerate(waits)]
    late = [0.0] * count
    while due:
        now, number = heapq.heappop(due)
        wait, begin = waits[number], begins[number]
        if not wait.is_needed(now):
            heapq.heappush(due, (now + wait.until_next(now), number))
            continue
        wait.before_poll(now)
        state = OperationState.QUEUED if tells and now < begin else OperationState.RUNNING
        if now >= begin + seconds:
            state = OperationState.SUCCEEDED
        step = wait.after_poll(Operation(wait.operation_id, state, "X"), now)
        if isinstance(step, Operation):
            late[number] = now - begin - seconds
            pace.learn(now - wait.ran_since)
        else:
            heapq.heappush(due, (now + step, number))
    return [wait.polls for wait in waits], late


def test_a_queue_at_the_service_costs_few_polls(record_property: pytest.RecordProperty) -> None:
    """Nine documents of 18 s, two at a time: in such a night, 111 polls were counted."""
    for tells in (False, True):
        runs = [polls_of_a_queue(9, 2, 18.0, tells=tells) for _ in range(20)]
        polls, late = fmean(median(each) for each, _ in runs), fmean(fmean(each) for _, each in runs)
        told = f"{polls:.1f} polls at the median, {late:.1f} s late"
        print(f"the service tells the queue, {tells}: {told}")
        record_property(f"queue {tells}", told)
        assert max(max(each) for _, each in runs) <= 60
        assert polls <= (5 if tells else 12)
        assert late < 8


def test_operations_that_began_together_spare_each_other_polls_until_some_have_ended() -> None:
    runs = [polls_of_a_queue(9, 9, 18.0, tells=False) for _ in range(20)]
    polls, late = fmean(median(each) for each, _ in runs), max(max(each) for _, each in runs)
    print(f"{polls:.1f} polls at the median, {late:.1f} s late at most")
    assert polls <= 5
    assert late < 9


def test_operations_that_were_started_at_the_same_time_stand_in_the_order_in_which_they_joined() -> None:
    pace = Pace(1, 60, typical=10)
    first, second = (Wait(f"op-{number}", "X", deadline=1e9, pace=pace, started=0.0) for number in range(2))
    for wait in (first, second):
        wait.before_poll(20)
        wait.after_poll(Operation(wait.operation_id, OperationState.QUEUED, "X"), 20)
    first.before_poll(30)
    first.after_poll(Operation("op-0", OperationState.QUEUED, "X"), 30)
    assert not second.is_needed(31)
    second.before_poll(40)
    second.after_poll(Operation("op-1", OperationState.QUEUED, "X"), 40)
    assert first.is_needed(41)


def test_an_operation_that_left_the_queue_began_when_the_one_before_it_had_ended() -> None:
    pace = Pace(1, 60, typical=10)
    waits = [Wait(f"op-{number}", "X", deadline=1e9, pace=pace, started=float(number)) for number in range(3)]
    for wait in waits[1:]:
        wait.before_poll(5)
        wait.after_poll(Operation(wait.operation_id, OperationState.QUEUED, "X"), 5)
    waits[0].before_poll(12)
    waits[0].after_poll(Operation("op-0", OperationState.SUCCEEDED, "X"), 12)
    for wait in waits[1:]:
        wait.before_poll(20)
        wait.after_poll(Operation(wait.operation_id, OperationState.RUNNING, "X"), 20)
    # No end is known that could have let the last one begin: it has begun by the time at which it was seen.
    assert [wait.ran_since for wait in waits[1:]] == [12, 20]


def test_a_single_operation_is_polled_at_its_own_pace() -> None:
    (polls,), (late,) = polls_of_a_queue(1, 1, 18.0, tells=True)
    assert polls == pytest.approx(13, abs=1)
    assert late < 4


@given(
    started=st.lists(st.floats(0, 50), min_size=2, max_size=30),
    seen=st.integers(0, 29),
    at=st.floats(60, 70),
)
def test_only_what_was_started_before_and_is_still_queued_makes_a_poll_needless(
    started: list[float], seen: int, at: float
) -> None:
    pace = Pace(1, 60, typical=10)
    waits = [Wait(f"op-{number}", "X", deadline=1e9, pace=pace, started=start) for number, start in enumerate(started)]
    queued = Operation("op", OperationState.QUEUED, "X")
    for wait in waits:
        wait.before_poll(55)
        wait.after_poll(queued, 55)
    first = waits[seen % len(waits)]
    first.before_poll(at)
    first.after_poll(queued, at)
    order = list(zip(started, range(len(started)), strict=True))
    for wait, place in zip(waits, order, strict=True):
        assert wait.is_needed(71) == (place <= order[seen % len(waits)])
        # The news is used once.
        assert wait.is_needed(72)


def test_reported_progress_brings_the_next_poll_near_the_end_that_it_promises() -> None:
    pace = Pace(1, 600)
    assert 75 <= pace.after(100, done=0.5) <= 80
    assert pace.after(100, done=0.99) == 1
    assert 19 <= pace.after(10, done=0.01) <= 20


def test_an_operation_is_polled_at_the_longest_interval_even_if_it_typically_takes_longer() -> None:
    assert Pace(1, 60, 3600).after(0) == 60


def test_an_estimate_that_became_too_long_is_found_out() -> None:
    pace = taught(Pace(1, 600), *[300.0] * 64)
    for _ in range(1000):
        _, lost = follow(pace, 10)
        pace.learn(10 + lost)
    assert pace.after(0) < 15


@pytest.mark.parametrize("learns", [True, False])
def test_over_all_kinds_of_documents_few_polls_lose_little_time(
    learns: bool, record_property: pytest.RecordProperty
) -> None:
    pace, durations = Pace(1, 60), random.Random(1)
    polls, losses, shares = [], [], []
    for _ in range(5000):
        duration = math.exp(durations.uniform(math.log(2), math.log(3600)))
        number, lost = follow(pace, duration)
        if learns:
            pace.learn(duration + lost)
        polls.append(number)
        losses.append(lost)
        shares.append(lost / duration)
    told = (
        f"{fmean(polls):.1f} polls, {fmean(losses):.1f} s lost ({100 * fmean(shares):.0f} %), {max(losses):.1f} at most"
    )
    print(f"learning {learns}: {told}")
    record_property("pace", told)
    assert min(losses) >= 0
    assert max(losses) <= 60
    assert fmean(losses) < 25
    assert fmean(polls) < 30
    assert max(polls) < 100
    assert learns or fmean(shares) < 0.25


def test_operations_that_take_alike_cost_few_polls() -> None:
    pace, durations = Pace(1, 60), random.Random(2)
    polls = []
    for _ in range(500):
        duration = durations.uniform(40, 60)
        number, lost = follow(pace, duration)
        pace.learn(duration + lost)
        polls.append(number)
    assert fmean(polls[-200:]) < fmean(polls[:8]) / 2
    assert fmean(polls[-200:]) < 5
