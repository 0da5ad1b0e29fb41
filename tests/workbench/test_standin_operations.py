"""When operations begin, end, and are forgotten."""

from __future__ import annotations

import hashlib
import json
import math
import tracemalloc
from pathlib import Path

from tests.workbench.standin_calls import ASYNC, DECK, ask, counts, sha256, standing_in, start
from workbench.standin.operations import Operations, State


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_turns_are_taken_in_order() -> None:
    clock = Clock()
    operations = Operations(10, capacity=2, clock=clock)
    made = [operations.create(b"")[1] for _ in range(5)]
    assert [(each.begun, each.ended) for each in made] == [(100, 110), (100, 110), (110, 120), (110, 120), (120, 130)]
    clock.now = 119
    assert [each.state(clock.now) for each in made] == [*[State.DONE] * 2, *[State.RUNNING] * 2, State.QUEUED]
    clock.now = 1000
    assert operations.create(b"")[1].begun == 1000


def test_the_highest_number_at_once_is_exact() -> None:
    clock = Clock()
    operations = Operations(10, clock=clock)
    for now in (100, 101, 102, 110, 111, 200):
        clock.now = now
        operations.create(b"")
    assert (operations.in_flight(), operations.peak) == (1, 3)


def test_times_spread_around_the_one_that_is_set() -> None:
    clock = Clock()
    operations = Operations(10, spread=0.2, seed=1, clock=clock)
    ends = [operations.create(b"")[1].ended for _ in range(200)]
    assert 108 <= min(ends) < 109 < 111 < max(ends) <= 112


def test_many_operations_cost_little_memory() -> None:
    tracemalloc.start()
    try:
        operations = Operations(3600, capacity=10)
        for number in range(20_000):
            operations.create(hashlib.sha256(number.to_bytes(4)).digest())
        assert tracemalloc.get_traced_memory()[0] < 15e6
    finally:
        tracemalloc.stop()
    assert operations.in_flight() == len(operations)


def test_an_operation_is_forgotten_but_stays_in_the_account(tmp_path: Path) -> None:
    clock = Clock()
    operations = Operations(10, retention=5, clock=clock)
    _, operation = operations.create(b"")
    clock.now = 114.9
    assert not operations.is_forgotten(operation)
    clock.now = 115
    assert operations.is_forgotten(operation)
    with standing_in(tmp_path, "--retention", "0") as standin:
        id = start(standin)
        for path in (f"{ASYNC}/{id}", f"{ASYNC}/{id}/result"):
            status, body = ask(standin, "GET", path)
            assert (status, json.loads(body)["error"]["message"]) == (404, "Operation does not exist")
        assert standin.stats()["sources"][sha256(DECK)] == counts(created=1, polls=1, results=1)


def test_one_that_is_deleted_while_it_runs_ends_and_the_queue_moves_up() -> None:
    clock = Clock()
    operations = Operations(10, capacity=2, clock=clock)
    first, second, third, fourth, fifth = (operations.create(b"")[1] for _ in range(5))
    clock.now = 103
    operations.delete(first)
    operations.delete(fourth)  # which still queues
    assert [(each.begun, each.ended) for each in (second, third, fifth)] == [(100, 110), (103, 113), (110, 120)]
    assert [each.canceled for each in (first, second, third, fourth, fifth)] == [True, False, False, True, False]
    assert operations.is_forgotten(first)
    assert operations.is_forgotten(fourth)
    assert (operations.in_flight(), operations.peak) == (3, 5)
    assert operations.create(b"")[1].begun == 113
    clock.now = 123
    assert operations.in_flight() == 0


def test_one_that_is_deleted_when_it_is_done_is_forgotten_and_not_canceled() -> None:
    clock = Clock()
    operations = Operations(10, clock=clock)
    _, operation = operations.create(b"")
    clock.now = 110
    operations.delete(operation)
    assert operations.is_forgotten(operation)
    assert not operation.canceled
    deleted = operation.deleted
    clock.now = 120
    operations.delete(operation)
    assert operation.deleted == deleted < math.inf


def test_times_stay_as_they_are_when_the_last_of_the_queue_is_deleted() -> None:
    clock = Clock()
    operations = Operations(10, spread=0.5, capacity=3, seed=4, clock=clock)
    made = [operations.create(b"")[1] for _ in range(20)]
    before = [(each.begun, each.ended) for each in made]
    clock.now = 104
    operations.delete(operations.create(b"")[1])
    for (begun, ended), each in zip(before, made, strict=True):
        assert math.isclose(each.begun, begun)
        assert math.isclose(each.ended, ended)


def test_all_can_be_ended_at_once() -> None:
    clock = Clock()
    operations = Operations(10, capacity=1, clock=clock)
    first, second, third = (operations.create(b"")[1] for _ in range(3))
    operations.delete(second)
    clock.now = 104
    operations.finish()
    assert [(each.begun, each.ended) for each in (first, third)] == [(100, 104), (104, 104)]
    assert second.canceled
    assert operations.in_flight() == 0
    assert operations.create(b"")[1].begun == 104
