"""Waits for a conversion without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_docconv.client.session import counting_own_calls
from airflow_provider_docconv.compat import BaseEventTrigger
from airflow_provider_docconv.exceptions import AuthenticationFailed, DocConvError, serialize
from airflow_provider_docconv.hooks.asynchronous import async_client, async_settings
from airflow_provider_docconv.polling import FAULT_TOLERANCE, Outcome, Pace, Wait, WaitReport, apoll_until_ended
from airflow_provider_docconv.services.operations import Operation, OperationState, read_operation_id
from airflow_provider_docconv.task_state import task_was_ended_by_user
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.triggers.progress import PROGRESS, Progress, TaskKey, push
from airflow_provider_docconv.triggers.watermark import Watermark

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient

# After this many seconds, an event is certainly in Airflow's database.
_STORED = 10.0
# Cancellations that continue after their triggers were stopped; the event loop keeps only weak references to its tasks.
_cancelling: set[asyncio.Task[None]] = set()


class ConversionEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What a trigger has seen of an operation.

    :param operation: the operation, if it has ended
    :param report: how the wait ended
    :param error: why the trigger stopped waiting, if it did
    :param polls: how many polls the trigger has sent, for the task that it resumes
    """

    operation: Operation | None = None
    report: WaitReport | None = None
    error: dict[str, str | None] | None = None
    polls: int = 0

    def payload(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


class ConversionTrigger(BaseEventTrigger):
    """
    Fires once when an operation has ended, or when there is no point in waiting longer.

    Its event is a :class:`ConversionEvent`: ``{"operation": …, "report": …}`` or ``{"error": …}``. It serves a deferred
    task, a task that starts in the triggerer (``start_from_trigger``), and an ``AssetWatcher``.

    :param operation_id: the operation (templated in a task that starts in the triggerer)
    :param conn_id: the connection (templated likewise)
    :param deadline: when to give up, in seconds since the epoch, so that a restart does not extend it; None for the
        time at which Airflow would end the trigger
    :param poke_interval: the shortest time between two polls, in seconds
    :param max_poke_interval: the longest time between two polls; None for the same
    :param started: when the operation began, in seconds since the epoch, if known: its age sets the interval
    :param polls: how many polls the worker sent before it deferred, for the report
    :param fault_tolerance: seconds for which polls may fail
    :param cancel_on_kill: cancel the operation, if the service can do that, when a person ends the task
    :param end_from_trigger: end the task when the operation has succeeded, instead of sending the event to a worker
    """

    # Event triggers are not bound to a task's queue, but tasks defer to this one, too.
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
        """Return the trigger's class and arguments for the database; they hold no secrets."""
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
        """Fire for an asset, and then stay: Airflow restarts a watcher's trigger as soon as it has ended."""
        watermark = Watermark(self, self.operation_id, self.conn_id)
        if await watermark.load() is None:
            yield await self._event()
            await asyncio.sleep(delay(_STORED))
            await watermark.save("told")
        await asyncio.Event().wait()

    async def on_kill(self) -> None:
        """
        Cancel the operation if a person has ended the task.

        Airflow 3.3 also calls this when a triggerer that hung comes back after its triggers have moved, and cancels it
        again every second until the trigger is gone. So the state of the task decides, in an asyncio task of its own.
        """
        if not self.cancel_on_kill or self._task is None:
            return
        cancelling = asyncio.create_task(self._cancel_if_ended_by_user(self._task))
        _cancelling.add(cancelling)
        cancelling.add_done_callback(_cancelling.discard)
        await asyncio.shield(cancelling)

    async def _cancel_if_ended_by_user(self, task: TaskKey) -> None:
        self.log.info("Airflow stopped this wait. Cancelling the operation if a person has ended the task")
        try:
            if await sync_to_async(task_was_ended_by_user)(task.dag_id, task.run_id, task.task_id, task.map_index):
                async with async_client(self.conn_id) as client:
                    outcome = await client.run(client.service.cancel_if_running(self.operation_id))
                self.log.warning("%s", outcome.message)
        except Exception as error:  # Nothing waits for this any more, and the log is the only place to report it.
            self.log.warning("Could not cancel operation %s, which may still be running: %s", self.operation_id, error)

    async def _event(self) -> TriggerEvent:
        with counting_own_calls() as calls:
            try:
                operation, report = await self._wait()
            except DocConvError as error:
                return TriggerEvent(ConversionEvent(error=serialize(error), polls=self._own(calls)).payload())
        if self.end_from_trigger and operation.state is OperationState.SUCCEEDED and await self._push(report):
            return TaskSuccessEvent()
        return TriggerEvent(ConversionEvent(operation, report, polls=self._own(calls)).payload())

    def _own(self, calls: Counter[str]) -> int:
        # Those of a watcher's trigger are counted by no task.
        return calls["status"] if self._task else 0

    async def _wait(self) -> tuple[Operation, WaitReport]:
        self.operation_id = read_operation_id(self.operation_id)
        self.started = self.started or time.time()
        while True:
            async with async_client(self.conn_id) as client:
                try:
                    return await self._wait_with(client, self.started)
                except AuthenticationFailed:
                    # A secret that was renewed meanwhile must not fail thousands of waits.
                    if await async_settings(self.conn_id) == client.settings:
                        raise
            self.log.info("The connection %r has changed; waiting with its new settings", self.conn_id)

    async def _wait_with(self, client: AsyncClient, started: float) -> tuple[Operation, WaitReport]:
        wait = Wait(
            self.operation_id,
            client.settings.label,
            deadline=self._deadline,
            pace=Pace(self.poke_interval, self.max_poke_interval or self.poke_interval),
            started=started,
            polls=self.polls,
            fault_tolerance=self.fault_tolerance,
        )
        progress = Progress(self._task)

        async def tell(outcome: Outcome) -> None:
            self.polls = wait.polls
            if message := wait.changed_message(outcome):
                self.log.info("%s", message)
            if isinstance(outcome, Operation):
                await progress.show(wait.progress(outcome))

        # Not at once: the worker that deferred has just polled, and Airflow 3.3 may take a task that defers for about a
        # second for a failed one.
        operation = await apoll_until_ended(client, wait, wait.until_next(time.time()), tell)
        report = wait.report(operation, time.time())
        self.log.info("%s", wait.final_message(report))
        return operation, report

    async def _push(self, report: WaitReport) -> bool:
        """Push the XComs that a worker would have pushed, and return whether that was possible."""
        if self._task is None:
            return False
        try:
            # Not with the event: Airflow 3.3 encodes those XComs twice.
            await push(self._task, PROGRESS, msgspec.to_builtins(report))
            await push(self._task, "return_value", self.operation_id)
        except Exception as error:  # Whatever the XCom backend raises, a worker can do it.
            self.log.warning("Could not write this task's XComs, so a worker will end it: %s", error)
            return False
        return True

    @property
    def _deadline(self) -> float:
        if self.deadline is not None:
            return self.deadline
        # Kept with the task, so that a restart does not extend it.
        until: datetime | None = getattr(self, "timeout_after", None)
        return until.timestamp() if until else float("inf")

    @property
    def _task(self) -> TaskKey | None:
        task: TaskKey | None = getattr(self, "task_instance", None)
        return task
