"""Waits for a conversion without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError, serialize
from airflow_provider_docconv.hooks.asynchronous import async_client, async_settings
from airflow_provider_docconv.polling import FAULT_TOLERANCE, Pace, Wait, WaitReport, watch
from airflow_provider_docconv.services.operations import Operation, OperationState, given_operation_id
from airflow_provider_docconv.task_state import task_was_ended_by_user
from airflow_provider_docconv.triggers.batch import BatchTrigger
from airflow_provider_docconv.triggers.progress import PROGRESS, Progress, TaskKey, push
from airflow_provider_docconv.triggers.watermark import Watermark

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient

__all__ = ["BatchTrigger", "ConversionTrigger"]

# After so long, an event is surely in Airflow's database.
_STORED = 10.0
# What goes on when its trigger has been stopped; the event loop itself holds its tasks weakly.
_cancelling: set[asyncio.Task[None]] = set()


class ConversionTrigger(BaseEventTrigger):
    """
    Fires once when an operation has ended, or when it is no use to wait on.

    Its event is ``{"operation": …, "report": …}`` or ``{"error": …}``. It serves a deferred task, a task that begins in
    the triggerer (``start_from_trigger``), and an ``AssetWatcher``.

    :param operation_id: the operation (templated in a task that begins in the triggerer)
    :param conn_id: the connection (templated likewise)
    :param deadline: when to give up, in seconds since the epoch, so that a restart does not stretch it; if it is None,
        the time at which Airflow would end the trigger
    :param poke_interval: the shortest time between two polls, in seconds
    :param max_poke_interval: the longest one; the same if it is None
    :param started: when the operation began, in seconds since the epoch, as far as known: its age sets the interval
    :param polls: how many polls a worker has sent before it deferred, for the report
    :param fault_tolerance: seconds for which polls may fail
    :param cancel_on_kill: cancel the operation, where the service can, when a person ends the task
    :param end_from_trigger: end the task when the operation has succeeded, instead of sending the event to a worker
    """

    # Event triggers are not bound to their task's queue, but tasks defer to this one, too.
    supports_triggerer_queue = True

    def __init__(
        self,
        *,
        operation_id: str,
        conn_id: str,
        deadline: float | None = None,
        poke_interval: float = 2.0,
        max_poke_interval: float | None = 300.0,
        started: float | None = None,
        polls: int = 0,
        fault_tolerance: float = FAULT_TOLERANCE,
        cancel_on_kill: bool = True,
        end_from_trigger: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is untyped.
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_poke_interval = max_poke_interval
        self.started = started
        self.polls = polls
        self.fault_tolerance = fault_tolerance
        self.cancel_on_kill = cancel_on_kill
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger's row holds; no secret is among it."""
        return (
            "airflow_provider_docconv.triggers.docconv.ConversionTrigger",
            {
                "operation_id": self.operation_id,
                "conn_id": self.conn_id,
                "deadline": self.deadline,
                "poke_interval": self.poke_interval,
                "max_poke_interval": self.max_poke_interval,
                "started": self.started,
                "polls": self.polls,
                "fault_tolerance": self.fault_tolerance,
                "cancel_on_kill": self.cancel_on_kill,
                "end_from_trigger": self.end_from_trigger,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the event."""
        if self._task is None:
            async for event in self._fire_once():
                yield event
        try:
            event = await self._event()
        except asyncio.CancelledError:
            if not hasattr(BaseTrigger, "on_kill"):  # Airflow before 3.3 only cancels.
                await self.on_kill()
            raise
        yield event

    async def _fire_once(self) -> AsyncIterator[TriggerEvent]:
        """Fire for an asset, and then wait for ever: Airflow starts a watcher's trigger again when it has ended."""
        watermark = Watermark(self, self.operation_id, self.conn_id)
        if await watermark.load() is None:
            yield await self._event()
            await asyncio.sleep(_STORED)
            await watermark.save("told")
        await asyncio.Event().wait()

    async def on_kill(self) -> None:
        """
        Give the operation up if a person has ended the task.

        Airflow 3.3 also calls this when a triggerer that hung comes back after its triggers have moved, and cancels it
        again each second until the trigger is gone: so the state of the task decides, and the work goes on by itself.
        """
        if not self.cancel_on_kill or self._task is None:
            return
        task = asyncio.create_task(self._give_up_if_ended(self._task))
        _cancelling.add(task)
        task.add_done_callback(_cancelling.discard)
        await asyncio.shield(task)

    async def _give_up_if_ended(self, task: TaskKey) -> None:
        from asgiref.sync import sync_to_async

        self.log.info("Airflow stopped this wait. If a person has ended the task, the operation is given up")
        try:
            if await sync_to_async(task_was_ended_by_user)(task.dag_id, task.run_id, task.task_id, task.map_index):
                async with async_client(self.conn_id) as client:
                    outcome = await client.run(client.service.cancel_if_running(self.operation_id))
                self.log.warning("%s", outcome.message)
        except Exception as error:  # Nobody waits for this any more; the log is the only place to tell it.
            self.log.warning("Operation %s may go on, because it could not be cancelled: %s", self.operation_id, error)

    async def _event(self) -> TriggerEvent:
        try:
            operation, report = await self._wait()
        except DocConvError as error:
            return TriggerEvent({"error": serialize(error)})
        if self.end_from_trigger and operation.state is OperationState.SUCCEEDED and await self._record(report):
            return TaskSuccessEvent()
        return TriggerEvent({"operation": operation.serialize(), "report": report._asdict()})

    async def _wait(self) -> tuple[Operation, WaitReport]:
        self.operation_id = given_operation_id(self.operation_id)
        self.started = self.started or time.time()
        while True:
            async with async_client(self.conn_id) as client:
                try:
                    return await self._wait_with(client)
                except AuthenticationFailed:
                    # A secret that was renewed while thousands waited must not fail them.
                    if await async_settings(self.conn_id) == client.settings:
                        raise
            self.log.info("The connection %r has changed meanwhile; the wait goes on with it", self.conn_id)

    async def _wait_with(self, client: AsyncClient) -> tuple[Operation, WaitReport]:
        wait = Wait(
            self.operation_id,
            client.settings.label,
            deadline=self._deadline,
            pace=Pace(self.poke_interval, self.max_poke_interval or self.poke_interval),
            started=self.started or time.time(),
            polls=self.polls,
            fault_tolerance=self.fault_tolerance,
        )
        progress = Progress(self._task)

        async def tell(line: str | None, operation: Operation | None) -> None:
            self.polls = wait.polls
            if line:
                self.log.info("%s", line)
            if operation:
                await progress.show(wait.standing(operation))

        # Whoever deferred has just polled; and Airflow 3.3 may take a task that defers for about a second for a failed
        # one.
        operation = await watch(client, self.operation_id, wait, wait.until_next(time.time()), tell)
        report = wait.report(operation, time.time())
        self.log.info("%s", wait.last_line(report))
        return operation, report

    async def _record(self, report: WaitReport) -> bool:
        """Push what a worker would have pushed, and return whether that was possible."""
        if self._task is None:
            return False
        try:
            # Not with the event: Airflow 3.3 encodes those XComs twice.
            await push(self._task, PROGRESS, report._asdict())
            await push(self._task, "return_value", self.operation_id)
        except Exception as error:  # Whatever it is, a worker can do it in its stead.
            self.log.warning("A worker will end this task, because its XComs could not be written: %s", error)
            return False
        return True

    @property
    def _deadline(self) -> float:
        if self.deadline is not None:
            return self.deadline
        # Kept with the task, so that a restart does not stretch it.
        until: datetime | None = getattr(self, "timeout_after", None)
        return until.timestamp() if until else float("inf")

    @property
    def _task(self) -> TaskKey | None:
        task: TaskKey | None = getattr(self, "task_instance", None)
        return task
