"""
What one thread does and any number of threads and event loops wait for.

It imports next to nothing, so that an event loop may import it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def promise() -> Future[Any]:
    """Make a promise that threads and event loops can wait for, and that none of them can cancel for the others."""
    made: Future[Any] = Future()
    made.set_running_or_notify_cancel()
    return made


def in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """
    Do work that would block an event loop in a thread of its own, and promise what comes of it.

    Not in the loop's own pool of threads, which others may have filled with work that takes long.

    :param work: what to do
    :param name: the thread's name
    """
    made: Future[T] = promise()

    def keep() -> None:
        try:
            made.set_result(work())
        except Exception as error:  # It belongs to those who wait.
            made.set_exception(error)

    threading.Thread(target=keep, name=name, daemon=True).start()
    return made


async def kept(promised: Future[T]) -> T:
    """
    Wait in an event loop until a promise is kept, and return what came of it.

    ``asyncio.wrap_future`` does the same, but wakes the loop through a socket even where the loop's own thread has kept
    the promise, which thousands of polls would pay for.

    :param promised: the promise
    """
    if promised.done():
        return promised.result()
    here, loop = threading.get_ident(), asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(_: Future[T]) -> None:
        if threading.get_ident() == here:
            settle()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(settle)

    def settle() -> None:
        if not waiter.done():
            waiter.set_result(None)

    promised.add_done_callback(wake)
    await waiter
    return promised.result()
