"""Waits for a conversion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.compat import (
    AIRFLOW_VERSION,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_docconv.links.docconv import DocumentOperator, ServiceLink
from airflow_provider_docconv.sensors.start_in_triggerer import require_no_worker_hooks, start_in_triggerer

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from airflow_provider_docconv.compat import Context
    from airflow_provider_docconv.worker.wait import SensorWait

# Results are kept for 24 hours: a longer wait would find nothing to fetch.
ONE_DAY = timedelta(hours=24).total_seconds()
# How Airflow resumes a task whose trigger has not ended in time.
_FAIL, _TRIGGER_TIMEOUT = "__fail__", "Trigger timeout"


class ConversionSensor(DocumentOperator, BaseSensorOperator):
    """
    Waits until a conversion has ended, and returns the operation id.

    If the conversion failed, was cancelled or is no longer known to the service, the task fails without retries and
    with the service's own words. A failed poll is not a failed conversion: faults are tolerated for a while.

    The XCom ``progress`` shows how far the operation is, and at the end how many polls the wait took and how late the
    end was noticed at most (not in the reschedule mode).

    :param operation_id: the operation that :class:`StartConversionOperator` returned (templated)
    :param conn_id: the connection it was started with (templated)
    :param source: the document, for messages (templated)
    :param poke_interval: the shortest time between two polls, in seconds. The interval grows with the age of the
        operation, and follows its progress where the service reports that, because the vendors bill polls
    :param max_poke_interval: the longest time between two polls, in seconds
    :param timeout: seconds until the wait gives up, over all tries (Airflow 3.3; before, and where the wait starts
        in the triggerer, each try has its own). The operation is then cancelled, if the service can do that
    :param fault_tolerance: seconds for which polls may fail; in the reschedule mode, the timeout
    :param grace: seconds for which a deferrable sensor first polls in the worker: most conversions are quick, and
        Airflow 3.3 sometimes takes a task that defers for about a second for a failed one
    :param cancel_on_kill: cancel the operation, if the service can do that, when a person marks the task as failed or
        as success while it waits
    :param deferrable: wait in the triggerer, without holding a worker
    :param start_from_trigger: experimental: wait in the triggerer from the beginning, without any worker (Airflow 3.3;
        before, the same as ``deferrable``)
    :param end_from_trigger: experimental: end a successful wait in the triggerer, without going back to a worker
        (Airflow 3.3; before, the same as ``deferrable``)
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
        timeout: timedelta | float = ONE_DAY,
        fault_tolerance: timedelta | float = 900.0,
        grace: timedelta | float = 3.0,
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.source = source
        self.max_poke_interval = _seconds(max_poke_interval)
        self.fault_tolerance = _seconds(fault_tolerance)
        self.grace = _seconds(grace)
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable or start_from_trigger or end_from_trigger
        self.end_from_trigger = end_from_trigger and AIRFLOW_VERSION >= (3, 3)
        if end_from_trigger:
            require_no_worker_hooks(self, "end_from_trigger")
        if start_from_trigger:
            require_no_worker_hooks(self, "start_from_trigger")
        if start_from_trigger and AIRFLOW_VERSION >= (3, 3):
            self.start_from_trigger = True
            self.start_trigger_args = start_in_triggerer(
                self,
                poke_interval=self.poke_interval,
                max_poke_interval=self.max_poke_interval,
                fault_tolerance=self.fault_tolerance,
                cancel_on_kill=cancel_on_kill,
                end_from_trigger=self.end_from_trigger,
            )
        self._wait: SensorWait | None = None
        self._delay = 0.0

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Map the sensor.

        :raises ValueError: if it should start in the triggerer, or should end there and can't
        """
        if kwargs.get("start_from_trigger"):
            raise ValueError(
                f"{kwargs.get('task_id')}: Airflow can't start a mapped task in the triggerer; "
                "omit start_from_trigger, or put the sensor into a mapped task group"
            )
        partial: OperatorPartial = super().partial(**kwargs)
        if kwargs.get("end_from_trigger"):
            require_no_worker_hooks(partial, "end_from_trigger")
        return partial

    def execute(self, context: Context) -> str:
        """
        Wait, in the worker or in the triggerer.

        :raises DocConvError: if the conversion did not succeed, or the wait can't continue
        """
        return self._in_worker(context).execute(super().execute)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once, for Airflow's reschedule mode."""
        seconds = (self._wait or self._in_worker(context)).poll()
        self._delay = seconds or 0.0
        return PokeReturnValue(is_done=seconds is None, xcom_value=self.operation_id)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """
        Resume with the trigger's event.

        :raises DocConvError: if the conversion did not succeed, or the wait can't continue
        """
        return self._in_worker(context).complete(event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Continue after the triggerer.

        :raises DocConvError: if the conversion did not succeed, or the wait can't continue
        """
        if next_method == _FAIL and (next_kwargs or {}).get("error") == _TRIGGER_TIMEOUT:
            self._in_worker(context).too_late()
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as error:
            # Airflow's base class replaces it by one that does not say why.
            skip = error.__cause__ if isinstance(error.__cause__, AirflowSkipException) else error
        raise skip

    def on_kill(self) -> None:
        """Cancel the operation if a person has ended the task. If the worker was lost, the next try continues."""
        if self.cancel_on_kill and self._wait:
            self._wait.cancel_if_ended_by_user()

    def _in_worker(self, context: Context) -> SensorWait:
        from airflow_provider_docconv.worker.wait import SensorWait

        self._wait = SensorWait(self, context)
        return self._wait

    def _get_next_poke_interval(self, *_: object) -> float:
        """Return the seconds until the next poll; Airflow asks for them in the reschedule mode."""
        return self._delay


def _seconds(value: timedelta | float) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
