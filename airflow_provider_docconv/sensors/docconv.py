"""Waits for a conversion."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
    conf,
)

from airflow_provider_docconv.links.docconv import ServiceLink
from airflow_provider_docconv.sensors.base import OperationSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_provider_docconv.polling import Poller

# Results are kept for 24 hours: a longer wait would end with nothing to fetch.
_TIMEOUT = timedelta(hours=24).total_seconds()
# How long Airflow's own check waits behind the trigger, which ends by itself.
_BACKSTOP = timedelta(minutes=5)


class ConversionSensor(OperationSensor):
    """
    Waits until a conversion has ended, and returns the operation id.

    A conversion that failed, was cancelled or is no longer known to the service fails the task without retries, with
    the service's own words. A failed poll is no failed conversion: faults are tolerated for a span of time.

    The XCom ``progress`` shows how far the operation is, and at the end how many polls the wait took and how much time
    it lost (not in the reschedule mode).

    :param operation_id: the operation that :class:`StartConversionOperator` returned (templated)
    :param conn_id: the connection it was started with (templated)
    :param source: the document, to name it in messages (templated)
    :param poke_interval: the shortest time between two polls, in seconds. It grows with the age of the operation, and
        follows its progress where the service reports that, because the vendors bill polls
    :param max_poke_interval: the longest time between two polls, in seconds
    :param timeout: seconds until the wait gives up, over all tries (Airflow 3.3; before it, and where the wait starts
        in the triggerer, each try has its own). The operation is cancelled then, where the service can
    :param fault_tolerance: seconds for which polls may fail; in the reschedule mode, the timeout
    :param grace: seconds for which a deferrable sensor polls in the worker first: most conversions are quick, and
        Airflow 3.3 sometimes takes a task that defers for about a second for a failed one
    :param cancel_on_kill: cancel the operation, where the service can, when a person marks the task as failed or as
        success while it waits
    :param deferrable: wait in the triggerer, without holding a worker
    :param start_from_trigger: wait in the triggerer from the beginning, without any worker (Airflow 3.3; before it, the
        same as ``deferrable``)
    :param end_from_trigger: end a successful wait in the triggerer, without going back to a worker (Airflow 3.3; before
        it, the same as ``deferrable``)
    """

    template_fields: Sequence[str] = ("operation_id", "conn_id", "source")
    operator_extra_links = (ServiceLink(),)
    ui_color = "#e8f1fa"

    def __init__(
        self,
        *,
        operation_id: str,
        conn_id: str,
        source: str | None = None,
        poke_interval: timedelta | float = 2.0,
        max_poke_interval: timedelta | float = 300.0,
        timeout: timedelta | float = _TIMEOUT,
        fault_tolerance: timedelta | float = 900.0,
        grace: timedelta | float = 3.0,
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            operation_id=operation_id,
            conn_id=conn_id,
            source=source,
            cancel_on_kill=cancel_on_kill,
            poke_interval=poke_interval,
            timeout=timeout,
            **kwargs,
        )
        self.max_poke_interval = _seconds(max_poke_interval)
        self.fault_tolerance = _seconds(fault_tolerance)
        self.grace = _seconds(grace)
        self.deferrable = deferrable or start_from_trigger or end_from_trigger
        self.end_from_trigger = end_from_trigger
        if start_from_trigger or end_from_trigger:
            from airflow_provider_docconv.sensors.workerless import leave_out_workers

            leave_out_workers(self, start=start_from_trigger)
        self._deadline = float("inf")
        self._poller: Poller | None = None
        self._delay: float | None = None

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Map the sensor.

        :raises ValueError: if it is to start in the triggerer, or to end there and can't
        """
        if kwargs.get("start_from_trigger"):
            raise ValueError(
                f"{kwargs.get('task_id')}: Airflow can't start a mapped task in the triggerer; "
                "leave start_from_trigger out, or put the sensor into a mapped task group"
            )
        partial: OperatorPartial = super().partial(**kwargs)
        if kwargs.get("end_from_trigger"):
            from airflow_provider_docconv.sensors.workerless import refuse_worker

            refuse_worker(kwargs["task_id"], "end_from_trigger", partial.kwargs)
        return partial

    def execute(self, context: Context) -> str:
        """
        Wait, in the worker or in the triggerer.

        :raises DocConvError: if the conversion did not succeed, or the wait could not go on
        """
        with self._ends(context):
            return self._execute_deferrable(context) if self.deferrable else self._execute_plain(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        from airflow_provider_docconv.exceptions import task_errors

        with task_errors(self.source):
            self._delay = self._poll()
            return PokeReturnValue(is_done=self._delay is None, xcom_value=self.operation_id)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """
        Take the trigger's event.

        :raises DocConvError: if the conversion did not succeed, or the wait could not go on
        """
        from airflow_provider_docconv.exceptions import deserialize
        from airflow_provider_docconv.polling import require_succeeded
        from airflow_provider_docconv.services.operations import Operation

        with self._ends(context):
            if event and "error" in event:
                error = deserialize(event["error"])
                self.operation_id = error.operation_id or self.operation_id
                raise error
            if not event or "operation" not in event:
                raise AirflowException(f"The trigger sent an event that nobody knows: {event!r}.")
            operation = Operation.deserialize(event["operation"])
            if report := event.get("report"):
                self._show(report)
            require_succeeded(operation, self._hook.service.label)
            return operation.id

    def _execute_plain(self, context: Context) -> str:
        self._begin(context)
        if self.reschedule:
            return self._execute_rescheduled(context)
        while (delay := self._poll()) is not None:
            time.sleep(delay)
        return self.operation_id

    def _execute_rescheduled(self, context: Context) -> str:
        from airflow_provider_docconv.exceptions import DocConvError

        try:
            result: str = super().execute(context)
            return result
        except AirflowSkipException as skip:
            # What was to be skipped: before that happens, the operation is given up.
            end = skip.__cause__
        except AirflowSensorTimeout as timeout:
            end = timeout if isinstance(timeout, DocConvError) else None
        # Not while the other one is handled: each would be the other's cause, and Airflow's log goes round for ever.
        raise end or self._too_late()

    def _get_next_poke_interval(self, *_: object) -> float:
        """Return the seconds until the next poll, where Airflow asks for them: in the reschedule mode."""
        return self._delay or 0.0

    def _execute_deferrable(self, context: Context) -> str:
        began = self._begin(context)
        if not self._ended_within_grace():
            self._wait_for_trigger(began)
        return self.operation_id

    def _begin(self, context: Context) -> float:
        """Return when the wait began, in this try or in one before."""
        from airflow_provider_docconv.services.operations import given_operation_id

        self.operation_id = given_operation_id(self.operation_id)
        records, now = self._records(context), time.time()
        began = records.began() if records else None
        if began is None:
            began = now
            if records:
                records.begin(now)
        self._deadline = began + self.timeout
        return began

    def _wait_for_trigger(self, began: float) -> NoReturn:
        from airflow_provider_docconv.triggers.docconv import ConversionTrigger

        deadline, now = self._deadline, time.time()
        if self.execution_timeout is not None:
            # Airflow stops the clock of execution_timeout while a task is deferred.
            deadline = min(deadline, now + self.execution_timeout.total_seconds())
        self.defer(
            trigger=ConversionTrigger(
                operation_id=self.operation_id,
                conn_id=self.conn_id,
                deadline=deadline,
                started=began,
                poke_interval=self.poke_interval,
                max_poke_interval=self.max_poke_interval,
                polls=self._poller.wait.polls if self._poller else 0,
                fault_tolerance=self.fault_tolerance,
                cancel_on_kill=self.cancel_on_kill,
                end_from_trigger=self.end_from_trigger,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, deadline - now)) + _BACKSTOP,
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
        from airflow_provider_docconv.polling import Pace, Poller, Wait

        if self._poller is None:
            wait = Wait(
                self.operation_id,
                self._hook.service.label,
                deadline=self._deadline,
                pace=Pace(self.poke_interval, self.max_poke_interval),
                started=self._deadline - self.timeout,
                fault_tolerance=self.timeout if self.reschedule else self.fault_tolerance,
            )
            # In the reschedule mode each poll is a process of its own, and none knows of the others.
            show = None if self.reschedule else self._show
            self._poller = Poller(self._hook, self.operation_id, wait, self.log, show)
        return self._poller.poll()

    def _show(self, value: dict[str, Any]) -> None:
        try:
            self._ti.xcom_push(key="progress", value=value)
        except Exception as error:  # The wait is worth more than its picture.
            self.log.warning("The XCom 'progress' could not be written: %s", error)


def _seconds(value: timedelta | float) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
