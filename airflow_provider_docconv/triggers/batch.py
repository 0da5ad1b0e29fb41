"""Waits for the operations of a batch without holding a worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError, deserialize, serialize
from airflow_provider_docconv.hooks.asynchronous import async_client, async_settings
from airflow_provider_docconv.polling import FAULT_TOLERANCE, Pace, Wait, apoll_until_ended
from airflow_provider_docconv.services.errors import Handling
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.testing import delay

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient

#: The largest size of the operations in a trigger's row or its event, in bytes; Airflow's database stores both.
MAX_BYTES = 48 << 10
# Airflow 3.3 may take a task that defers for about a second for a failed one.
_SHORTEST = 5.0
# A result must not wait long for the slowest operation in flight.
_LONGEST_HOLD = 120.0


def fit_into_row(operations: Iterable[tuple[str, float]]) -> dict[str, float]:
    """
    Return as many operations as a trigger's row may hold; the worker polls the others when it is back.

    :param operations: operation ids, each with the time of its start, the most urgent ones first
    """
    chosen: dict[str, float] = {}
    size = 0
    for operation_id, started in operations:
        size += len(json.dumps({operation_id: round(started, 1)}))
        if size > MAX_BYTES:
            break
        chosen[operation_id] = round(started, 1)
    return chosen


class BatchEvent(msgspec.Struct, frozen=True):
    """
    What a trigger has seen of a batch.

    An operation that ended otherwise is not in it: the worker asks for it again, because the service's message may
    repeat a document's password, which the trigger does not know and Airflow's database must not hold.

    :param succeeded: the operations that have succeeded, each with the time when that was noticed
    :param polls: how many polls the wait took
    :param error: why the trigger stopped waiting, if it did
    :param deadline: when to give up, in seconds since the epoch; it passes through the trigger, because Airflow's
        in-process runs drop everything else
    """

    succeeded: dict[str, float]
    polls: int
    error: dict[str, str | None] | None
    deadline: float

    @classmethod
    def of(
        cls, ended: Iterable[tuple[Operation, float]], polls: int, error: DocConvError | None, deadline: float
    ) -> Self:
        """
        Make an event.

        :param ended: the operations that have ended, each with the time when that was noticed
        :param polls: how many polls that took
        :param error: why the trigger stopped waiting, if it did
        :param deadline: when to give up
        """
        succeeded = {each.id: round(at, 1) for each, at in ended if each.state is OperationState.SUCCEEDED}
        return cls(succeeded, polls, serialize(error) if error else None, deadline)

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """
        Read an event.

        :param payload: the trigger event's payload
        :raises msgspec.ValidationError: if it is not an event of this trigger
        """
        return msgspec.convert(payload, cls)

    @property
    def stopped_by(self) -> DocConvError | None:
        """The error that ended the wait, if one did."""
        return deserialize(self.error) if self.error else None

    def payload(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


class BatchTrigger(BaseTrigger):
    """
    Polls many operations over one session, and fires once when enough of them have ended.

    Its event is a :class:`BatchEvent`.

    :param conn_id: the connection
    :param operations: the operation ids, each with the time of its start in seconds since the epoch
    :param wake_after: how many must have ended. It also fires when all have, when the first ended two minutes ago, or
        when there is no point in waiting longer
    :param deadline: when to give up, in seconds since the epoch, so that a restart does not extend it
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest time between two polls, in seconds
    :param typical: seconds that a quick operation is known to take, 0 if unknown
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
        self._waits: list[Wait] = []
        self._ended: list[tuple[Operation, float]] = []

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments for the database; they hold no secrets."""
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
        try:
            error = await self._wait()
        except DocConvError as raised:
            error = raised
        await asyncio.sleep(delay(max(0.0, began + _SHORTEST - time.monotonic())))
        polls = sum(wait.polls for wait in self._waits)
        yield TriggerEvent(BatchEvent.of(self._ended, polls, error, self.deadline).payload())

    async def _wait(self) -> DocConvError | None:
        """Wait until enough operations have ended, and return the error that stops all of them, if there is one."""
        async with async_client(self.conn_id) as client:
            error = await self._watch(client)
            if isinstance(error, AuthenticationFailed) and await async_settings(self.conn_id) != client.settings:
                return None  # The secret was renewed meanwhile: the worker reads the connection again.
            return error

    async def _watch(self, client: AsyncClient) -> DocConvError | None:
        pace = Pace(self.poke_interval, self.max_poke_interval, self.typical)
        self._waits = [
            Wait(
                operation_id,
                client.settings.label,
                deadline=self.deadline,
                pace=pace,
                started=started,
                fault_tolerance=self.fault_tolerance,
            )
            for operation_id, started in self.operations.items()
        ]
        now = time.time()
        polls = (apoll_until_ended(client, wait, wait.until_next(now)) for wait in self._waits)
        pending = {asyncio.create_task(each) for each in polls}
        error: DocConvError | None = None
        until = float("inf")
        try:
            while pending and len(self._ended) < self.wake_after and not error and time.monotonic() < until:
                hold = None if until == float("inf") else until - time.monotonic()
                done, pending = await asyncio.wait(pending, timeout=hold, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    try:
                        self._ended.append((each.result(), time.time()))
                    except DocConvError as raised:
                        error = raised
                until = min(until, time.monotonic() + _LONGEST_HOLD) if self._ended else until
        finally:
            for each in pending:
                each.cancel()
        return error if error and self._stops_all(error) else None

    def _stops_all(self, error: DocConvError) -> bool:
        """Return whether the error of one operation concerns all; otherwise the worker decides about that one."""
        if error.handling is Handling.RETRY:
            return not any(wait.is_answered for wait in self._waits)
        return error.handling is Handling.STOP
