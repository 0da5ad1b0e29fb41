"""Waits for a conversion without holding a worker."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_docconv.exceptions import DocConvError, serialize
from airflow_provider_docconv.hooks.docconv import async_client
from airflow_provider_docconv.services.operations import Operation
from airflow_provider_docconv.triggers.batch import BatchTrigger
from airflow_provider_docconv.waiting import FAULT_TOLERANCE, Pace, Wait
from airflow_provider_docconv.watching import watch

__all__ = ["BatchTrigger", "ConversionTrigger"]


class ConversionTrigger(BaseTrigger):
    """
    Fires once when an operation has ended, or when it is no use to wait on.

    Its event is ``{"operation": …}`` or ``{"error": …}``. It polls only after the first interval, because whoever
    defers has just polled, and because Airflow 3.3 may take a task that defers for about a second for a failed one.

    :param operation_id: the operation
    :param conn_id: the connection
    :param deadline: when to give up, in seconds since the epoch, so that a restart does not stretch it
    :param poll_interval: the shortest time between two polls, in seconds
    :param max_poll_interval: the longest one; the same if it is None
    :param started: when the operation began, in seconds since the epoch, as far as known: its age sets the interval
    :param fault_tolerance: seconds for which polls may fail
    """

    def __init__(
        self,
        *,
        operation_id: str,
        conn_id: str,
        deadline: float,
        poll_interval: float,
        max_poll_interval: float | None = None,
        started: float | None = None,
        fault_tolerance: float = FAULT_TOLERANCE,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.max_poll_interval = max_poll_interval
        self.started = started
        self.fault_tolerance = fault_tolerance

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger's row holds; no secret is among it."""
        return (
            "airflow_provider_docconv.triggers.docconv.ConversionTrigger",
            {
                "operation_id": self.operation_id,
                "conn_id": self.conn_id,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "max_poll_interval": self.max_poll_interval,
                "started": self.started,
                "fault_tolerance": self.fault_tolerance,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        try:
            operation = await self._wait()
        except DocConvError as error:
            yield TriggerEvent({"error": serialize(error)})
        else:
            yield TriggerEvent({"operation": operation.serialize()})

    async def _wait(self) -> Operation:
        pace = Pace(self.poll_interval, self.max_poll_interval or self.poll_interval)
        async with async_client(self.conn_id) as client:
            wait = Wait(
                self.operation_id,
                client.settings.label,
                deadline=self.deadline,
                pace=pace,
                started=self.started or time.time(),
                fault_tolerance=self.fault_tolerance,
            )
            first = wait.until_next(time.time())
            return await watch(client, self.operation_id, wait, self.log.info, first)
