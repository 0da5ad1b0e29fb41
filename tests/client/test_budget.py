"""So many calls at once and in a second, and nobody is forgotten: the pure core and the queue before it."""

from __future__ import annotations

from concurrent.futures import Future
from math import ceil, inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.client import turns
from airflow_provider_docconv.client.budget import Budget
from airflow_provider_docconv.client.steps import Await, Sleep
from airflow_provider_docconv.client.turns import Turn, Turns

RATES = st.floats(0.2, 50)
# When each call is wanted, after the one before it, how long it takes, and how long everybody has to wait after it.
CALLS = st.lists(
    st.tuples(st.floats(0, 0.5), st.floats(0, 5), st.just(0.0) | st.floats(0, 20)), min_size=1, max_size=60
)


class World:
    """Lets calls go through a queue on a clock of its own."""

    def __init__(self, at_once: int, per_second: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.turns = Turns(Budget(at_once, per_second))
        self.came: list[int] = []
        self.begun: list[float] = []
        self.most = 0
        self.broke_a_pause = False
        self._paused_until = -inf
        self._under_way = 0
        # When somebody goes on: a time, or a bell.
        self._waiting: list[tuple[float | Future[Any], Any]] = []
        monkeypatch.setattr(turns, "monotonic", lambda: self.now)

    def call(self, number: int, at: float, takes: float, pause: float) -> Any:
        yield Sleep(at)
        with Turn(self.turns) as turn:
            self.came.append(number)
            yield from turn.come()
            self.begun.append(self.now)
            assert self.came.index(number) == len(self.begun) - 1, "somebody was overtaken"
            self.broke_a_pause |= self.now < self._paused_until
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            yield Sleep(takes)
            self._under_way -= 1
            self.turns.pause(pause)
            self._paused_until = max(self._paused_until, self.now + pause)

    def run(self, calls: list[Any]) -> None:
        for each in calls:
            self._advance(each)
        while self._waiting:
            ready = [each for each in self._waiting if self._due(each[0]) <= self.now]
            if ready:
                self._waiting.remove(ready[0])
                self._advance(ready[0][1])
            else:
                self.now = min(self._due(each[0]) for each in self._waiting)
                assert self.now < inf, "somebody waits for ever"

    def _advance(self, talk: Any) -> None:
        step = next(talk, None)
        if isinstance(step, Sleep):
            self._waiting.append((self.now + step.seconds, talk))
        elif isinstance(step, Await):
            self._waiting.append((step.promise, talk))

    def _due(self, until: float | Future[Any]) -> float:
        if isinstance(until, Future):
            return self.now if until.done() else inf
        return until


@given(st.integers(1, 8), RATES, CALLS)
def test_never_too_many_and_everybody_in_turn(
    at_once: int, per_second: float, calls: list[tuple[float, float, float]]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(at_once, per_second, monkeypatch)
        ats = [sum(gap for gap, _, _ in calls[: number + 1]) for number in range(len(calls))]
        world.run([world.call(number, at, *calls[number][1:]) for number, at in enumerate(ats)])
    assert len(world.begun) == len(calls)
    assert world.most <= at_once
    assert not world.broke_a_pause
    most = ceil(per_second)
    for first, next_but_most in zip(world.begun, world.begun[most:], strict=False):
        assert next_but_most - first >= max(1.0, most / per_second) * (1 - 1e-9)


@given(st.integers(1, 8), RATES)
def test_nobody_waits_for_nothing(at_once: int, per_second: float) -> None:
    budget = Budget(at_once, per_second)
    for _ in range(min(at_once, ceil(per_second))):
        assert budget.wait(0.0) == 0
        budget.begin(0.0)
    assert budget.wait(0.0) > 0
    for _ in range(at_once):
        budget.end()
    assert budget.wait(1.0 + 1 / per_second) == 0


def test_a_pause_is_not_shortened() -> None:
    budget = Budget(1, 1)
    budget.pause(30.0)
    budget.pause(10.0)
    assert (budget.wait(5.0), budget.wait(31.0)) == (25.0, 0.0)


def queue_of(turns: Turns, count: int) -> tuple[list[Turn], list[Any]]:
    made = [Turn(turns).__enter__() for _ in range(count)]
    return made, [turns.advance(turn) for turn in made]


def rung(step: Any) -> bool:
    return isinstance(step, Await) and step.promise.done()


def test_who_gives_up_lets_the_others_pass() -> None:
    turns = Turns(Budget(1, 1000))
    (first, second, third, fourth), steps = queue_of(turns, 4)
    assert steps[0] is None
    turns.leave(third)
    turns.leave(second)
    assert not rung(steps[3])
    turns.leave(first)
    assert rung(steps[3])
    assert turns.advance(fourth) is None


def test_who_is_called_and_gives_up_calls_the_next() -> None:
    turns = Turns(Budget(1, 1000))
    (first, second, _), steps = queue_of(turns, 3)
    turns.leave(first)
    assert rung(steps[1])
    turns.leave(second)
    assert rung(steps[2])


def test_what_nobody_goes_on_with_is_no_place_lost() -> None:
    turns = Turns(Budget(1, 1000))

    def talk() -> Any:
        with Turn(turns) as turn:
            yield from turn.come()
            yield "under way"

    under_way, waiting, last = talk(), talk(), talk()
    next(under_way)
    next(waiting)
    step = next(last)
    del waiting, under_way
    assert rung(step)
    assert next(last) == "under way"
