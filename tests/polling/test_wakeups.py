"""Many waits that are due at one instant wake in it, a few in each turn of the loop."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter

from airflow_provider_docconv.wakeups import _IN_ONE_TURN, _of_loops, wakeups

COUNT = 10 * _IN_ONE_TURN


def test_no_turn_of_the_loop_wakes_more_than_a_few() -> None:
    turns: Counter[int] = Counter()

    async def count_turns() -> None:
        while True:
            turns[-1] += 1
            await asyncio.sleep(0)

    async def wait() -> None:
        await wakeups().sleep(0.01)
        turns[turns[-1]] += 1

    async def run() -> None:
        counting = asyncio.create_task(count_turns())
        await asyncio.gather(*(wait() for _ in range(COUNT)))
        counting.cancel()

    asyncio.run(run())
    del turns[-1]
    assert turns.total() == COUNT
    assert max(turns.values()) <= _IN_ONE_TURN


def test_they_wake_in_the_order_in_which_they_are_due_however_they_came() -> None:
    woken: list[int] = []

    async def wait(number: int) -> None:
        await wakeups().sleep(0.02 * number)
        woken.append(number)

    async def run() -> None:
        await asyncio.gather(*(wait(number) for number in (3, 1, 4, 0, 2)))

    asyncio.run(run())
    assert woken == [0, 1, 2, 3, 4]


def test_one_that_was_cancelled_holds_nobody_up() -> None:
    async def run() -> list[object]:
        waits = [asyncio.create_task(wakeups().sleep(0.01)) for _ in range(COUNT)]
        await asyncio.sleep(0)
        for wait in waits[::2]:
            wait.cancel()
        return await asyncio.gather(*waits, return_exceptions=True)

    ends = asyncio.run(run())
    assert [end is None for end in ends] == [False, True] * (COUNT // 2)


def test_a_loop_that_has_ended_is_forgotten() -> None:
    async def run() -> weakref.ref[asyncio.AbstractEventLoop]:
        await wakeups().sleep(0)
        loop = asyncio.get_running_loop()
        assert loop in _of_loops
        return weakref.ref(loop)

    ended = asyncio.run(run())
    gc.collect()
    assert ended() is None
