"""
One process that waits for operations as a triggerer does, and measures what that costs it.

``python -m benchmarks.waiters ORDER FOUND``: both files hold JSON, an :class:`Order` and a :class:`Found`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import airflow.jobs.triggerer_job_runner  # noqa: F401 - what a triggerer has loaded before its first trigger

from airflow_provider_docconv import polling
from airflow_provider_docconv.client.session import session_of
from airflow_provider_docconv.hooks.asynchronous import async_client
from airflow_provider_docconv.hooks.connections import read_settings
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.triggers.docconv import ConversionTrigger
from benchmarks import peers
from benchmarks.lag import Turns, percentile, watched_loop

#: The pattern of this provider.
OURS = "this provider"
#: The id of the connection, which the environment gives.
CONNECTION = "waits"


@dataclass(frozen=True)
class Order:
    """
    What to do.

    :param pattern: how to wait: :data:`OURS` or one of the :data:`benchmarks.peers.PEERS`
    :param url: where the service is
    :param authority: the file of the authority that it is trusted by
    :param token: an access token, for the peers
    :param operations: the operation ids
    :param interval: the shortest time between two polls, in seconds
    :param longest: the longest one
    :param begin: when to begin to measure, in seconds after the start of the last wait
    :param seconds: how long to measure
    :param patience: how long to wait after that for the end of all operations, in seconds
    :param grid: instead of the grid that this provider has, in seconds
    """

    pattern: str
    url: str
    authority: str
    token: str
    operations: list[str]
    interval: float
    longest: float
    begin: float
    seconds: float
    patience: float = 40.0
    grid: float | None = None


@dataclass(frozen=True)
class Found:
    """
    What was found while it was measured.

    :param polls: polls that were sent
    :param cpu: processor time of all threads, in seconds
    :param p99: the time that 99 of 100 turns of the loop took at most, by the clock, in seconds
    :param longest: the time that the longest turn took, in seconds
    :param p99_cpu: the processor time that 99 of 100 turns took at most: what they take where nobody disturbs them
    """

    polls: int
    cpu: float
    p99: float
    longest: float
    p99_cpu: float = 0.0


async def run(order: Order, turns: Turns) -> Found:
    """Wait for all operations, and measure for a while."""
    if order.pattern == OURS:
        polling.GRID = polling.GRID if order.grid is None else order.grid
        session = session_of(read_settings(DocConvHook.get_connection(CONNECTION)))
        waits = [_trigger(each, order) for each in order.operations]
        # Open before the first wait, as the peers' sessions are: waits that meet at the first import stay together.
        async with async_client(CONNECTION):
            return await measure(order, turns, waits, lambda: session.calls["status"])
    polls: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {order.token}"}
    async with peers.PEERS[order.pattern](order.authority, headers) as ask:
        urls = [f"{order.url}/v3.0/slides/async/{each}" for each in order.operations]
        waits = [peers.wait(ask, url, order.interval, polls) for url in urls]
        return await measure(order, turns, waits, lambda: polls["status"])


async def measure(order: Order, turns: Turns, waits: list[Coroutine[Any, Any, None]], sent: Callable[[], int]) -> Found:
    """
    Let all of them wait, and measure for a while.

    :param order: what to do
    :param turns: the turns of the loop
    :param waits: the waits
    :param sent: how many polls were sent so far
    """
    tasks, began = [], time.monotonic()
    for number, each in enumerate(waits):
        # Spread over an interval: a thousand waits that are due in one moment would only show who queues worst.
        await asyncio.sleep(max(0.0, began + order.interval * number / len(waits) - time.monotonic()))
        tasks.append(asyncio.create_task(each))
    await asyncio.sleep(order.begin)
    turns.clear()
    before, cpu = sent(), time.process_time()
    await asyncio.sleep(order.seconds)
    cpu, polls = time.process_time() - cpu, sent() - before
    p99, longest, p99_cpu = percentile(turns.wall, 0.99), max(turns.wall), percentile(turns.cpu, 0.99)
    if not polls:
        raise RuntimeError("The machine was so busy that all operations had ended before it could be measured.")
    done, late = await asyncio.wait(tasks, timeout=order.patience)
    for task in late:
        task.cancel()
    await asyncio.gather(*done)
    return Found(polls, cpu, p99, longest, p99_cpu)


async def _trigger(operation_id: str, order: Order) -> None:
    trigger = ConversionTrigger(
        operation_id=operation_id,
        conn_id=CONNECTION,
        deadline=time.time() + 600,
        poke_interval=order.interval,
        max_poke_interval=order.longest,
        started=time.time(),
    )
    async for event in trigger.run():
        if event.payload["operation"]["state"] != "succeeded":
            raise RuntimeError(f"A wait failed: {event.payload}")


def main() -> None:
    """Do what the command line's file orders."""
    order, turns = Order(**json.loads(Path(sys.argv[1]).read_text())), Turns()
    with asyncio.Runner(loop_factory=lambda: watched_loop(turns)) as runner:
        found = runner.run(run(order, turns))
    Path(sys.argv[2]).write_text(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
