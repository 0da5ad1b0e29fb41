"""Waits for a conversion."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.operations import Operation
    from airflow_provider_docconv.waiting import Wait

# Results are kept for 24 hours: a longer wait would end with nothing to fetch.
_TIMEOUT = timedelta(hours=24).total_seconds()
# How long Airflow's own check waits behind the trigger, which ends by itself.
_BACKSTOP = timedelta(minutes=5)


class ConversionSensor(BaseSensorOperator):
    """
    Waits until a conversion has ended, and returns the operation id.

    A conversion that failed, was cancelled or is no longer known to the service fails the task without retries, with
    the service's own words. A failed poll is no failed conversion: faults are tolerated for a span of time.

    :param operation_id: the operation that :class:`StartConversionOperator` returned (templated)
    :param conn_id: the connection it was started with (templated)
    :param source: the document, to name it in messages (templated)
    :param poke_interval: the shortest time between two polls, in seconds. It grows with the age of the operation, and
        follows its progress where the service reports that, because the vendors bill polls
    :param max_wait: the longest time between two polls, in seconds
    :param timeout: seconds until the wait gives up; the conversion itself may go on
    :param fault_tolerance: seconds for which polls may fail; in the reschedule mode, the timeout
    :param grace: seconds for which a deferrable sensor polls in the worker first: most conversions are quick, and
        Airflow 3.3 may take a task that defers for about a second for a failed one
    :param deferrable: wait in the triggerer, without holding a worker
    """

    template_fields: Sequence[str] = ("operation_id", "conn_id", "source")
    ui_color = "#e8f1fa"

    def __init__(
        self,
        *,
        operation_id: str,
        conn_id: str,
        source: str | None = None,
        poke_interval: timedelta | float = 2.0,
        max_wait: timedelta | float = 300.0,
        timeout: timedelta | float = _TIMEOUT,
        fault_tolerance: float = 900.0,
        grace: float = 3.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, max_wait=max_wait, timeout=timeout, **kwargs)
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.source = source
        self.fault_tolerance = fault_tolerance
        self.grace = grace
        self.deferrable = deferrable
        self._wait: Wait | None = None
        self._deadline = float("inf")

    def execute(self, context: Context) -> str:
        """
        Wait, in the worker or in the triggerer.

        :raises DocConvError: if the conversion did not succeed, or the wait could not go on
        """
        with self._errors():
            return self._execute_deferrable() if self.deferrable else self._execute_plain(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        from airflow_provider_docconv.exceptions import task_errors

        with task_errors(self.source):
            return PokeReturnValue(is_done=self._poll() is None, xcom_value=self.operation_id)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """
        Take the trigger's event.

        :raises DocConvError: if the conversion did not succeed, or the wait could not go on
        """
        from airflow_provider_docconv.exceptions import deserialize
        from airflow_provider_docconv.services.operations import Operation

        with self._errors():
            if event and "error" in event:
                raise deserialize(event["error"])
            if not event or "operation" not in event:
                raise AirflowException(f"The trigger sent an event that nobody knows: {event!r}.")
            return self._finish(Operation.deserialize(event["operation"]))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from airflow_provider_docconv.exceptions import DocConvError, task_errors

        try:
            with task_errors(self.source):
                yield
        except DocConvError as error:
            # Airflow's base class does this for some errors in one mode and for others in the other.
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _execute_plain(self, context: Context) -> str:
        if self.reschedule:
            return self._execute_rescheduled(context)
        self._deadline = time.time() + self.timeout
        while (delay := self._poll()) is not None:
            time.sleep(delay)
        return self.operation_id

    def _execute_rescheduled(self, context: Context) -> str:
        from airflow_provider_docconv.exceptions import DeadlineExceeded, DocConvError

        try:
            result: str = super().execute(context)
        except AirflowSensorTimeout as error:
            if isinstance(error, DocConvError):
                raise
            raise DeadlineExceeded(
                f"{self._hook.fields.label} has not ended the conversion in time", operation_id=self.operation_id
            ) from error
        return result

    def _execute_deferrable(self) -> str:
        began = time.time()
        if not self._ended_within_grace():
            self._wait_for_trigger(began)
        return self.operation_id

    def _wait_for_trigger(self, began: float) -> NoReturn:
        from airflow_provider_docconv.triggers.docconv import ConversionTrigger

        self.defer(
            trigger=ConversionTrigger(
                operation_id=self.operation_id,
                conn_id=self.conn_id,
                deadline=began + self.timeout,
                started=began,
                poll_interval=self.poke_interval,
                max_poll_interval=self._longest_interval,
                fault_tolerance=self.fault_tolerance,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout) + _BACKSTOP,
        )

    def _ended_within_grace(self) -> bool:
        until, delay = time.monotonic() + self.grace, 0.5
        while (wait := self._poll()) is not None:
            if time.monotonic() + delay > until:
                return False
            time.sleep(min(delay, wait))
            delay *= 2
        return True

    def _poll(self) -> float | None:
        """Poll once; return the seconds until the next poll, or None if the conversion succeeded."""
        from airflow_provider_docconv.exceptions import DocConvError
        from airflow_provider_docconv.services.operations import Operation, given_operation_id
        from airflow_provider_docconv.waiting import Pace, Wait

        self.operation_id = given_operation_id(self.operation_id)
        if self._wait is None:
            self._wait = Wait(
                self.operation_id,
                self._hook.fields.label,
                deadline=self._deadline,
                pace=Pace(self.poke_interval, self._longest_interval),
                started=time.time(),
                fault_tolerance=self.timeout if self.reschedule else self.fault_tolerance,
            )
        outcome: Operation | DocConvError
        try:
            outcome = self._hook.get_operation(self.operation_id)
        except DocConvError as error:
            outcome = error
        if line := self._wait.news(outcome):
            self.log.info("%s", line)
        step = self._wait.after_poll(outcome, time.time())
        if isinstance(step, Operation):
            self._finish(step)
            return None
        return step

    @property
    def _longest_interval(self) -> float:
        # Older Airflows keep what they are given.
        longest: Any = self.max_wait
        return longest.total_seconds() if isinstance(longest, timedelta) else float(longest)

    def _finish(self, operation: Operation) -> str:
        from airflow_provider_docconv.waiting import require_succeeded

        require_succeeded(operation, self._hook.fields.label)
        return operation.id

    @cached_property
    def _hook(self) -> DocConvHook:
        from airflow_provider_docconv.hooks.docconv import DocConvHook

        return DocConvHook.for_connection(self.conn_id)
