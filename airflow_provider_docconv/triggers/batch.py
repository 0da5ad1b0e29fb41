"""Waits for the operations of a batch without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_docconv.batch.events import Watched
from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError
from airflow_provider_docconv.hooks.asynchronous import async_client, async_settings
from airflow_provider_docconv.polling import FAULT_TOLERANCE, Pace, Wait, watch
from airflow_provider_docconv.services.errors import Handling
from airflow_provider_docconv.services.operations import Operation

# Airflow 3.3 may take a task that defers for about a second for a failed one.
_SHORTEST = 5.0
# A result must not wait long for the slowest operation of its window.
_LONGEST_HOLD = 120.0


class BatchTrigger(BaseTrigger):
    """
    Watches many operations over one session, and fires once when enough of them have ended.

    Its event is what :class:`~airflow_provider_docconv.batch.events.Watched` makes of them.

    :param conn_id: the connection
    :param operations: the operation ids, each with the time of its start in seconds since the epoch
    :param wake_after: how many must have ended; it also fires when all have, when one has for two minutes, or when it
        is no use to wait on
    :param deadline: when to give up, in seconds since the epoch, so that a restart does not stretch it
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest one
    :param typical: seconds that a quick operation is known to take, 0 if nothing is known
    :param fault_tolerance: seconds for which polls may fail
    """

    def __init__(
        self,
        *,
        conn_id: str,
        operations: dict[str, float],
        wake_after: int,
        deadline: float,
        poke_interval: float,
        max_poke_interval: float,
        typical: float = 0.0,
        fault_tolerance: float = FAULT_TOLERANCE,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        self.conn_id = conn_id
        self.operations = operations
        self.wake_after = wake_after
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.typical = typical
        self.fault_tolerance = fault_tolerance

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger's row holds; no secret is among it."""
        return (
            "airflow_provider_docconv.triggers.batch.BatchTrigger",
            {
                "conn_id": self.conn_id,
                "operations": self.operations,
                "wake_after": self.wake_after,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "max_poke_interval": self.max_poke_interval,
                "typical": self.typical,
                "fault_tolerance": self.fault_tolerance,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        began = time.monotonic()
        seen = Watched([], 0)
        try:
            async with async_client(self.conn_id) as client:
                seen = await self._watch_all(client)
                if isinstance(seen.error, AuthenticationFailed):
                    # A secret that was renewed meanwhile must not stop a night: the worker reads it anew.
                    renewed = await async_settings(self.conn_id) != client.settings
                    seen = Watched(seen.ended, seen.polls, None if renewed else seen.error)
        except DocConvError as error:
            seen = Watched(seen.ended, seen.polls, error)
        await asyncio.sleep(max(0.0, began + _SHORTEST - time.monotonic()))
        yield TriggerEvent({**seen.serialize(), "deadline": self.deadline})

    async def _watch_all(self, client: Any) -> Watched:
        pace = Pace(self.poke_interval, self.max_poke_interval, self.typical)
        waits = {key: self._wait(key, started, pace, client) for key, started in self.operations.items()}
        watches = {asyncio.create_task(self._watch(client, key, wait)) for key, wait in waits.items()}
        ended: list[tuple[Operation, float]] = []
        error: DocConvError | None = None
        pending, until = watches, float("inf")
        try:
            while pending and len(ended) < self.wake_after and not error and time.monotonic() < until:
                hold = None if until == float("inf") else until - time.monotonic()
                done, pending = await asyncio.wait(pending, timeout=hold, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    try:
                        ended.append((each.result(), time.time()))
                    except DocConvError as raised:
                        error = raised
                until = min(until, time.monotonic() + _LONGEST_HOLD) if ended else until
        finally:
            for each in pending:
                each.cancel()
        polls = sum(wait.polls for wait in waits.values())
        return Watched(ended, polls, error if error and _stops_all(error, waits.values()) else None)

    def _wait(self, operation_id: str, started: float, pace: Pace, client: Any) -> Wait:
        return Wait(
            operation_id,
            client.settings.label,
            deadline=self.deadline,
            pace=pace,
            started=started,
            fault_tolerance=self.fault_tolerance,
        )

    async def _watch(self, client: Any, operation_id: str, wait: Wait) -> Operation:
        return await watch(client, operation_id, wait, wait.until_next(time.time()))


def _stops_all(error: DocConvError, waits: Iterable[Wait]) -> bool:
    """Tell whether an error of one operation is one of all; if not, the worker decides what becomes of that one."""
    if error.handling is Handling.RETRY:
        return not any(wait.is_answered for wait in waits)
    return error.handling is Handling.STOP
