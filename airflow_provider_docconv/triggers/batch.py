"""Waits for the operations of a batch without holding a worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_docconv.batch.progress import Progress, Schedule
from airflow_provider_docconv.client.session import counting_own_calls
from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError, deserialize, serialize
from airflow_provider_docconv.hooks.asynchronous import async_client, async_settings
from airflow_provider_docconv.polling import FAULT_TOLERANCE, Pace, Wait, apoll_until_ended
from airflow_provider_docconv.services.errors import Handling
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.triggers.progress import Progress as ProgressXCom

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient

#: The largest size of the operations in a trigger's row or its event, in bytes; Airflow's database stores both.
MAX_BYTES = 48 << 10
# Airflow 3.3 may take a task that defers for about a second for a failed one.
_SHORTEST = 5.0
# How often it looks whether to say how far the batch is, in seconds.
_TELL_EVERY = 5.0
# A result must not wait long for the slowest operation in flight.
_LONGEST_HOLD = 120.0


def fit_into_row(operations: Iterable[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    """
    Return as many operations as a trigger's row may hold; the worker polls the others when it is back.

    :param operations: connection ids and operation ids with the times of their starts, the most urgent ones first
    :return: the operations of each connection, each with the time of its start
    """
    chosen: dict[str, dict[str, float]] = {}
    size = 0
    for conn_id, operation_id, started in operations:
        size += len(json.dumps({operation_id: round(started, 1)}))
        size += 0 if conn_id in chosen else len(json.dumps({conn_id: {}}))
        if size > MAX_BYTES:
            break
        chosen.setdefault(conn_id, {})[operation_id] = round(started, 1)
    return chosen


class BatchEvent(msgspec.Struct, frozen=True):
    """
    What a trigger has seen of a batch.

    How an operation ended that did not succeed is not in it: the worker asks for that again, because the service's
    message may repeat a document's password, which the trigger does not know and Airflow's database must not hold.

    :param succeeded: the operations of each connection that have succeeded, each with the time when that was noticed
    :param others: those of each connection about which the worker has to ask at once; all others are still running
    :param polls: how many polls each connection took
    :param errors: the connections at which nothing more will succeed, and why
    :param deadline: when to give up, in seconds since the epoch; it passes through the trigger, because Airflow's
        in-process runs drop everything else
    :param typical: seconds that a quick operation of each connection is known to take
    """

    succeeded: dict[str, dict[str, float]]
    others: dict[str, list[str]]
    polls: dict[str, int]
    errors: dict[str, dict[str, str | None]]
    deadline: float
    typical: dict[str, float] = {}

    @classmethod
    def of(
        cls,
        ended: Iterable[tuple[str, Operation, float]],
        failed: Mapping[str, Collection[str]],
        polls: dict[str, int],
        errors: Mapping[str, DocConvError],
        deadline: float,
        typical: dict[str, float] | None = None,
    ) -> Self:
        """
        Make an event.

        :param ended: the operations that have ended, each with its connection and the time when that was noticed
        :param failed: the operations of connections at which a poll has failed
        :param polls: how many polls that took, by connection
        :param errors: the connections at which nothing more will succeed, and why
        :param deadline: when to give up
        :param typical: seconds that a quick operation of each connection is known to take
        """
        succeeded: dict[str, dict[str, float]] = {}
        others: dict[str, list[str]] = {}
        for conn_id, operation, at in ended:
            if operation.state is OperationState.SUCCEEDED:
                succeeded.setdefault(conn_id, {})[operation.id] = round(at, 1)
            elif conn_id not in failed:
                others.setdefault(conn_id, []).append(operation.id)
        for conn_id, operations in failed.items():
            others[conn_id] = [each for each in operations if each not in succeeded.get(conn_id, ())]
        told = {conn_id: serialize(error) for conn_id, error in errors.items()}
        return cls(succeeded, others, polls, told, deadline, typical or {})

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """
        Read an event.

        :param payload: the trigger event's payload
        :raises msgspec.ValidationError: if it is not an event of this trigger
        """
        return msgspec.convert(payload, cls)

    def stopped_by(self, conn_id: str) -> DocConvError | None:
        """Return the error that ended the wait for a connection's operations, if one did."""
        error = self.errors.get(conn_id)
        return deserialize(error) if error else None

    def payload(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


class BatchTrigger(BaseTrigger):
    """
    Polls many operations, over one session for each connection, and fires once when enough of them have ended.

    Its event is a :class:`BatchEvent`.

    :param operations: the operations of each connection, each with the time of its start in seconds since the epoch
    :param wake_after: how many must have ended. It also fires when all have, when the first ended two minutes ago, or
        when there is no point in waiting longer
    :param deadline: when to give up, in seconds since the epoch, so that a restart does not extend it
    :param poke_interval: the shortest time between two polls of an operation, in seconds
    :param max_poke_interval: the longest time between two polls, in seconds
    :param typical: seconds that a quick operation of a connection is known to take
    :param fault_tolerance: seconds for which polls may fail
    :param progress: how far the batch is, as a :class:`~airflow_provider_docconv.batch.progress.Progress`
    """

    def __init__(
        self,
        *,
        operations: dict[str, dict[str, float]],
        wake_after: int,
        deadline: float,
        poke_interval: float,
        max_poke_interval: float,
        typical: dict[str, float] | None = None,
        fault_tolerance: float = FAULT_TOLERANCE,
        progress: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        self.operations = operations
        self.wake_after = wake_after
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.typical = typical or {}
        self.fault_tolerance = fault_tolerance
        self.progress = progress or {}
        self._calls: dict[str, Counter[str]] = {}
        self._waits: dict[str, list[Wait]] = {}
        self._paces: dict[str, Pace] = {}
        self._failed: dict[str, Collection[str]] = {}
        self._ended: list[tuple[str, Operation, float]] = []

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments for the database; they hold no secrets."""
        return (
            "airflow_provider_docconv.triggers.batch.BatchTrigger",
            {
                "operations": self.operations,
                "wake_after": self.wake_after,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "max_poke_interval": self.max_poke_interval,
                "typical": self.typical,
                "fault_tolerance": self.fault_tolerance,
                "progress": self.progress,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            errors = await self._wait(stack)
        await asyncio.sleep(delay(max(0.0, began + _SHORTEST - time.monotonic())))
        typical = {**self.typical, **{conn_id: pace.typical for conn_id, pace in self._paces.items()}}
        event = BatchEvent.of(self._ended, self._failed, self._polls(), errors, self.deadline, typical)
        yield TriggerEvent(event.payload())

    async def _wait(self, stack: AsyncExitStack) -> dict[str, DocConvError]:
        """Wait until enough operations have ended; return the connections at which nothing more will succeed."""
        errors: dict[str, DocConvError] = {}
        clients: dict[str, AsyncClient] = {}
        for conn_id in self.operations:
            try:
                clients[conn_id] = await stack.enter_async_context(async_client(conn_id))
            except DocConvError as raised:
                errors[conn_id] = raised
        found = {} if errors else await self._watch(clients)
        self._failed = {conn_id: self.operations[conn_id] for conn_id in {*found, *errors}}
        for conn_id, error in found.items():
            # If the secret was renewed meanwhile, the worker reads the connection again.
            renewed = isinstance(error, AuthenticationFailed) and (
                await async_settings(conn_id) != clients[conn_id].settings
            )
            if self._stops(conn_id, error) and not renewed:
                errors[conn_id] = error
        return errors

    async def _watch(self, clients: Mapping[str, AsyncClient]) -> dict[str, DocConvError]:
        """Poll until enough operations have ended, or the first poll fails; return the errors by connection."""
        polls: dict[asyncio.Task[Operation], str] = {}
        for conn_id, client in clients.items():
            # Polls that were sent again are paid, too.
            with counting_own_calls() as self._calls[conn_id]:
                polls |= {asyncio.create_task(poll): conn_id for poll in self._waits_for(conn_id, client)}
        pending = set(polls)
        errors: dict[str, DocConvError] = {}
        until = float("inf")
        schedule, shown = Schedule(), ProgressXCom(getattr(self, "task_instance", None))
        try:
            while pending and len(self._ended) < self.wake_after and not errors and time.monotonic() < until:
                hold = min(_TELL_EVERY, until - time.monotonic())
                done, pending = await asyncio.wait(pending, timeout=hold, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    try:
                        self._ended.append((polls[each], each.result(), time.time()))
                    except DocConvError as raised:
                        errors[polls[each]] = raised
                until = min(until, time.monotonic() + _LONGEST_HOLD) if self._ended else until
                await self._tell(schedule, shown)
        finally:
            for each in pending:
                each.cancel()
        return errors

    def _polls(self) -> dict[str, int]:
        return {conn_id: calls["status"] for conn_id, calls in self._calls.items()}

    async def _tell(self, schedule: Schedule, shown: ProgressXCom) -> None:
        """Say how far the batch is, if it is time for that."""
        if not self.progress or not schedule.is_due():
            return
        succeeded = sum(operation.state is OperationState.SUCCEEDED for _, operation, _ in self._ended)
        before = msgspec.convert(self.progress, Progress)
        progress, now = before.with_ended(succeeded, sum(self._polls().values())), time.time()
        if schedule.is_news(progress):
            self.log.info("%s", progress.sentence(now))
            await shown.show(progress.values(now))

    def _waits_for(self, conn_id: str, client: AsyncClient) -> Iterator[Coroutine[Any, Any, Operation]]:
        now = time.time()
        pace = Pace(self.poke_interval, self.max_poke_interval, self.typical.get(conn_id, 0.0))
        self._paces[conn_id] = pace
        self._waits[conn_id] = [
            Wait(
                operation_id,
                client.settings.label,
                deadline=self.deadline,
                pace=pace,
                started=started,
                fault_tolerance=self.fault_tolerance,
            )
            for operation_id, started in self.operations[conn_id].items()
        ]
        for wait in self._waits[conn_id]:
            # The worker has just polled, and what is seen before the event may be fired helps nobody.
            yield self._learn(client, wait, pace, max(wait.until_next(now), delay(_SHORTEST)))

    async def _learn(self, client: AsyncClient, wait: Wait, pace: Pace, first: float) -> Operation:
        """Wait for an operation, and learn how long it took."""
        operation = await apoll_until_ended(client, wait, first)
        pace.learn(time.time() - wait.ran_since)
        return operation

    def _stops(self, conn_id: str, error: DocConvError) -> bool:
        """Return whether the error of one operation concerns its connection; if not, the worker decides about it."""
        if error.handling is Handling.RETRY:
            return not any(wait.is_answered for wait in self._waits[conn_id])
        return error.handling is Handling.STOP
