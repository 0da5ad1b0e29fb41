"""Watches one operation over the asynchronous client, in the triggerer and in a worker alike."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from airflow_provider_docconv.services.errors import DocConvError
from airflow_provider_docconv.services.operations import Operation
from airflow_provider_docconv.waiting import Wait
from airflow_provider_docconv.wakeups import wakeups

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient


async def watch(
    client: AsyncClient,
    operation_id: str,
    wait: Wait,
    first: float,
    tell: Callable[[str | None, Operation | None], Awaitable[None]] | None = None,
) -> Operation:
    """
    Poll until an operation has ended, and return it.

    :param client: the connection's client
    :param operation_id: the operation
    :param wait: decides after each poll
    :param first: seconds until the first poll
    :param tell: is told of each poll before the last: in words if it brought something new, and the operation if the
        service answered
    :raises DeadlineExceeded: if it is too late to go on
    :raises DocConvError: if polling can't succeed, or has failed for too long
    """
    delay = first
    while True:
        await wakeups().sleep(delay)
        wait.polls += 1
        outcome: Operation | DocConvError
        try:
            outcome = await client.run(client.service.status(operation_id))
        except DocConvError as error:
            outcome = error
        step = wait.after_poll(outcome, time.time())
        if isinstance(step, Operation):
            return step
        if tell:
            await tell(wait.news(outcome), outcome if isinstance(outcome, Operation) else None)
        delay = step
