"""Waits for an operation: what a sensor does while it has a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import msgspec

from airflow_provider_docconv.compat import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_docconv.exceptions import DeadlineExceeded, DocConvError, deserialize, task_errors
from airflow_provider_docconv.hooks.docconv import DocConvHook
from airflow_provider_docconv.links.docconv import publish_links
from airflow_provider_docconv.polling import (
    SECOND_LOOK,
    Outcome,
    Pace,
    Wait,
    poll,
    poll_until_ended,
    require_succeeded,
)
from airflow_provider_docconv.services.operations import Operation, OperationState, read_operation_id
from airflow_provider_docconv.task_state import (
    AirflowTaskState,
    WaitRecord,
    max_tries,
    task_key,
    task_was_ended_by_user,
)
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.triggers.docconv import ConversionEvent, ConversionTrigger
from airflow_provider_docconv.triggers.progress import PROGRESS, push_xcom
from airflow_provider_docconv.worker.lineage import File, Lineage
from airflow_provider_docconv.worker.metrics import Metrics, measuring

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context


# How much later than the trigger's own deadline Airflow's timeout comes; the trigger cancels the operation and says
# why.
_BACKSTOP = timedelta(minutes=5)
# The first pause between polls in the worker before a sensor defers, in seconds; the pauses double.
_FIRST_PAUSE = 0.5
# Airflow kills a task five seconds after asking it to end.
_KILL_TIME = 4.0
# Each value shown is a call to Airflow and a write to its database.
_SHOW_PAUSE = 15.0


class Sensor(Protocol):
    """What is read of a ``ConversionSensor``, and the id that it is given."""

    operation_id: str
    conn_id: str
    source: str | None
    poke_interval: float
    max_poke_interval: float
    timeout: float
    fault_tolerance: float
    grace: float
    cancel_on_kill: bool
    deferrable: bool
    end_from_trigger: bool
    execution_timeout: timedelta | None
    soft_fail: bool
    never_fail: bool
    lineage: Lineage | None

    @property
    def reschedule(self) -> bool:
        """Whether each poll is a process of its own."""

    @property
    def log(self) -> Any:
        """The task's log."""

    def defer(self, *, trigger: Any, method_name: str, timeout: Any) -> NoReturn:
        """Give the worker back."""


class SensorWait:
    """
    One pass of a sensor through a worker.

    :param sensor: the sensor
    :param context: the task's context
    """

    def __init__(self, sensor: Sensor, context: Context) -> None:
        self._sensor = sensor
        self._context = context
        self._ti = context["ti"]
        self._began = time.time()
        self._next_show = 0.0
        self._metrics: Metrics | None = None

    def execute(self, rescheduled: Callable[[Context], str]) -> str:
        """
        Wait for the end, here or in the triggerer, and return the operation id.

        :param rescheduled: what Airflow's base class does in the reschedule mode
        :raises DocConvError: if the conversion did not succeed, or the wait can't continue
        """
        sensor = self._sensor
        with self._ends():
            self._begin()
            if sensor.deferrable:
                if not self._ended_within_grace():
                    self._defer()
            elif sensor.reschedule:
                self._execute_rescheduled(rescheduled)
            else:
                self._succeed(poll_until_ended(self._hook, self._wait, tell=self._tell))
            return str(sensor.operation_id)

    def poll(self) -> float | None:
        """
        Poll once, and return the seconds until the next poll, or None if the conversion succeeded.

        :raises DocConvError: if the conversion did not succeed, or the wait can't continue
        """
        with task_errors(self._sensor.source, self._sensor.conn_id):
            return self._poll()

    def complete(self, event: dict[str, Any] | None) -> str:
        """
        Take the trigger's event, and return the operation id.

        :param event: the event
        :raises DocConvError: if the conversion did not succeed, or the wait can't continue
        """
        with self._ends() as metrics:
            try:
                found = msgspec.convert(event, ConversionEvent)
            except msgspec.ValidationError as error:
                raise AirflowException(f"Unexpected trigger event: {event!r}") from error
            metrics.calls({"status": found.polls})
            if found.error:
                raised = deserialize(found.error)
                self._sensor.operation_id = raised.operation_id or self._sensor.operation_id
                raise raised
            if found.operation is None:
                raise AirflowException(f"Unexpected trigger event: {event!r}")
            if found.report:
                self._show(msgspec.to_builtins(found.report))
            require_succeeded(found.operation, self._hook.service.label)
            metrics.seconds_at_service(found.report.seconds if found.report else 0.0)
            return found.operation.id

    def too_late(self) -> NoReturn:
        """
        End a wait whose trigger did not run in time.

        :raises DeadlineExceeded: always
        """
        with self._ends():
            raise self._deadline_exceeded()

    def cancel_if_ended_by_user(self) -> None:
        """Cancel the operation if a person has ended the task. If the worker was lost, the next try continues."""
        # In a separate thread: the signal may have come while this one held a lock.
        thread = threading.Thread(target=self._cancel_if_ended_by_user, daemon=True)
        thread.start()
        thread.join(_KILL_TIME)

    def _cancel_if_ended_by_user(self) -> None:
        operation_id = self._sensor.operation_id
        try:
            if task_was_ended_by_user(*task_key(self._ti)):
                self._hook.cancel_if_running(operation_id)
        except Exception as error:  # The task ends anyway, and the log is the only place to report it.
            self._sensor.log.warning(
                "Could not cancel operation %s, which may still be running: %s", operation_id, error
            )

    def _begin(self) -> None:
        """Find out when the wait began: in this try or in an earlier one."""
        sensor = self._sensor
        sensor.operation_id = read_operation_id(sensor.operation_id)
        record = self._record()
        if record:
            self._began = record.began
        elif state := self._state:
            WaitRecord(sensor.operation_id, max_tries(self._context), self._began).write(state)

    def _record(self) -> WaitRecord | None:
        """Return the record of this wait by an earlier try, None on an Airflow that has no store for it."""
        record = WaitRecord.read(self._state) if self._state else None
        # A Clear raises max_tries, and starts a wait of its own.
        same = record and (record.operation_id, record.max_tries) == (
            self._sensor.operation_id,
            max_tries(self._context),
        )
        return record if same else None

    @property
    def _state(self) -> AirflowTaskState | None:
        store = self._context.get("task_state_store")
        return AirflowTaskState(store) if store else None

    def _execute_rescheduled(self, rescheduled: Callable[[Context], str]) -> None:
        try:
            rescheduled(self._context)
            return
        except AirflowSkipException as skip:
            # The base class turned an error into a skip: the error decides whether to cancel the operation.
            end = skip.__cause__
        except AirflowSensorTimeout as timeout:
            end = timeout if isinstance(timeout, DocConvError) else None
        # Raised outside the handlers: otherwise each would be the other's cause, and Airflow's log would never end.
        raise end or self._deadline_exceeded()

    def _ended_within_grace(self) -> bool:
        until, pause = time.monotonic() + self._sensor.grace, _FIRST_PAUSE
        while (seconds := self._poll()) is not None:
            if time.monotonic() + pause > until:
                return False
            time.sleep(delay(min(pause, seconds)))
            pause *= 2
        return True

    def _defer(self) -> NoReturn:
        sensor, now = self._sensor, time.time()
        deadline = self._began + sensor.timeout
        if sensor.execution_timeout is not None:
            # Airflow does not apply execution_timeout while a task is deferred.
            deadline = min(deadline, now + sensor.execution_timeout.total_seconds())
        sensor.defer(
            trigger=ConversionTrigger(
                operation_id=sensor.operation_id,
                conn_id=sensor.conn_id,
                deadline=deadline,
                started=self._began,
                poke_interval=sensor.poke_interval,
                max_poke_interval=sensor.max_poke_interval,
                polls=self._wait.polls,
                fault_tolerance=sensor.fault_tolerance,
                cancel_on_kill=sensor.cancel_on_kill,
                end_from_trigger=sensor.end_from_trigger,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, deadline - now)) + _BACKSTOP,
        )

    def _poll(self) -> float | None:
        outcome = poll(self._hook, self._wait)
        step = self._wait.after_poll(outcome, time.time())
        if self._sensor.reschedule and isinstance(outcome, Operation) and outcome.state is OperationState.NOT_FOUND:
            # No other poll of this mode would know of this one.
            time.sleep(delay(SECOND_LOOK))
            outcome = poll(self._hook, self._wait)
            step = self._wait.after_poll(outcome, time.time())
        if isinstance(step, Operation):
            self._succeed(step)
            return None
        self._tell(outcome)
        return step

    def _succeed(self, operation: Operation) -> None:
        """Report the end, and check that it is a success."""
        report = self._wait.report(operation, time.time())
        if not self._sensor.reschedule:  # There, each poll is a process of its own, without knowledge of the others.
            self._sensor.log.info("%s", self._wait.final_message(report))
            self._show(msgspec.to_builtins(report))
        require_succeeded(operation, self._hook.service.label)
        if self._metrics and not self._sensor.reschedule:
            self._metrics.seconds_at_service(report.seconds)

    def _tell(self, outcome: Outcome) -> None:
        if message := self._wait.changed_message(outcome):
            self._sensor.log.info("%s", message)
            now = time.monotonic()
            if isinstance(outcome, Operation) and now >= self._next_show and not self._sensor.reschedule:
                self._next_show = now + _SHOW_PAUSE
                self._show(self._wait.progress(outcome))

    def _show(self, value: dict[str, Any]) -> None:
        push_xcom(self._ti, PROGRESS, value, self._sensor.log)

    @contextmanager
    def _ends(self) -> Iterator[Metrics]:
        """Translate errors into the task's end, and cancel the operation if no try will wait for it."""
        try:
            with (
                task_errors(self._sensor.source, self._sensor.conn_id),
                measuring(self._hook, self._ti, ends_at_any_error=self._skips) as self._metrics,
            ):
                try:
                    yield self._metrics
                finally:
                    self._note_lineage()
        except (AirflowTaskTimeout, DocConvError) as error:
            end = self._end_of(error)
            # Airflow's base class does this for different errors in different modes.
            if self._skips:
                raise AirflowSkipException(str(end)) from None
            if end is error:
                raise
            raise end from None

    def _note_lineage(self) -> None:
        sensor = self._sensor
        inputs = [File(str(sensor.source))] if sensor.source else []
        sensor.lineage = Lineage(hooks=[self._hook], operation_id=str(sensor.operation_id), inputs=inputs)

    def _end_of(self, error: AirflowTaskTimeout | DocConvError) -> BaseException:
        """Return the error that the task ends with."""
        if isinstance(error, AirflowTaskTimeout):
            return self._timed_out()
        if isinstance(error, DeadlineExceeded):
            if self._was_execution_timeout():
                return self._timed_out()
            self._cancel(error)
        return error

    @property
    def _skips(self) -> bool:
        return bool(self._sensor.soft_fail or self._sensor.never_fail)

    def _cancel(self, error: DeadlineExceeded) -> None:
        if self._hook.cancel_if_running(self._sensor.operation_id):
            error.remedy = "the operation was cancelled: raise the timeout and clear the task that started it"

    def _was_execution_timeout(self) -> bool:
        sensor = self._sensor
        if sensor.execution_timeout is None:
            return False
        record = self._record()
        # Without a record, the shorter of the two has ended it.
        return (
            sensor.execution_timeout.total_seconds() < sensor.timeout
            if record is None
            else time.time() < record.began + sensor.timeout
        )

    def _timed_out(self) -> AirflowTaskTimeout:
        """Return the error of a wait that has exceeded ``execution_timeout``, and cancel if there is no retry."""
        error = self._deadline_exceeded("within execution_timeout")
        error.remedy = "a retry waits for it"
        if self._skips or self._ti.try_number > self._ti.max_tries:
            error.remedy = "raise execution_timeout and clear this task to wait longer"
            self._cancel(error)
        return AirflowTaskTimeout(str(error))

    def _deadline_exceeded(self, limit: str = "in time") -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self._hook.service.label} did not finish the conversion {limit}",
            operation_id=self._sensor.operation_id,
            document=self._sensor.source,
        )

    @cached_property
    def _wait(self) -> Wait:
        sensor = self._sensor
        return Wait(
            sensor.operation_id,
            self._hook.service.label,
            deadline=self._began + sensor.timeout,
            pace=Pace(sensor.poke_interval, sensor.max_poke_interval),
            started=self._began,
            # In the reschedule mode, no poll knows how long the earlier ones have failed.
            fault_tolerance=sensor.timeout if sensor.reschedule else sensor.fault_tolerance,
        )

    @cached_property
    def _hook(self) -> DocConvHook:
        hook = DocConvHook.for_connection(self._sensor.conn_id)
        publish_links(self._sensor, self._context, service=hook.service_url)
        return hook
