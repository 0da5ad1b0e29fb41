"""How a wait ends that does not bring the operation's end: too late, or by a person."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout, BaseSensorOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_docconv.exceptions import DeadlineExceeded, DocConvError
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.task_state import WaitRecords

# How Airflow resumes a task whose trigger was not there to end in time.
_FAIL, _TRIGGER_TIMEOUT = "__fail__", "Trigger timeout"
# Airflow kills a task five seconds after it has asked it to end.
_KILL_TIME = 4.0


class OperationSensor(BaseSensorOperator):
    """
    The base of sensors that wait for one operation: gives it up when nobody will wait for it any more.

    :param operation_id: the operation
    :param conn_id: the connection it was started with
    :param source: the document, to name it in messages
    :param cancel_on_kill: cancel the operation, where the service can, when a person ends the task
    """

    def __init__(
        self, *, operation_id: str, conn_id: str, source: str | None, cancel_on_kill: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.operation_id = operation_id
        self.conn_id = conn_id
        self.source = source
        self.cancel_on_kill = cancel_on_kill
        self._ti: Any = None

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after the triggerer.

        :raises DocConvError: if the conversion did not succeed, or the wait could not go on
        """
        if next_method == _FAIL and (next_kwargs or {}).get("error") == _TRIGGER_TIMEOUT:
            with self._ends(context):
                raise self._too_late()
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as error:
            # Airflow's base class makes another one of it, which does not say why.
            skip = error.__cause__ if isinstance(error.__cause__, AirflowSkipException) else error
        raise skip

    def on_kill(self) -> None:
        """Give the operation up if a person has ended the task; one that lost its worker goes on with its next try."""
        if self.cancel_on_kill and self._ti is not None:
            # In a thread of its own: the signal may have come while this one held a lock.
            thread = threading.Thread(target=self._give_up_if_ended, daemon=True)
            thread.start()
            thread.join(_KILL_TIME)

    def _give_up_if_ended(self) -> None:
        from airflow_provider_docconv.task_state import task_key, task_was_ended_by_user

        try:
            if task_was_ended_by_user(*task_key(self._ti)):
                self._hook.cancel_if_running(self.operation_id)
        except Exception as error:  # Whatever it is, the task ends; the log is the only place to tell it.
            self.log.warning("Operation %s may go on, because it could not be cancelled: %s", self.operation_id, error)

    @contextmanager
    def _ends(self, context: Context) -> Iterator[None]:
        """Let the wait end as a task does, and give up an operation that nobody will wait for any more."""
        from airflow_provider_docconv.exceptions import DocConvError, task_errors

        self._ti = context["ti"]
        try:
            with task_errors(self.source):
                yield
        except (AirflowTaskTimeout, DocConvError) as error:
            end = self._end_of(error, context)
            # Airflow's base class does this for some errors in one mode and for others in the other.
            if self._skips:
                raise AirflowSkipException(str(end)) from error
            if end is error:
                raise
            raise end from error

    def _end_of(self, error: AirflowTaskTimeout | DocConvError, context: Context) -> BaseException:
        """Return the error that the task ends with."""
        from airflow_provider_docconv.exceptions import DeadlineExceeded

        if isinstance(error, AirflowTaskTimeout):
            return self._timed_out()
        if isinstance(error, DeadlineExceeded):
            if self._was_execution_timeout(context):
                return self._timed_out()
            self._give_up(error)
        return error

    @property
    def _skips(self) -> bool:
        return bool(self.soft_fail or self.never_fail)

    def _give_up(self, error: DeadlineExceeded) -> None:
        if self._hook.cancel_if_running(self.operation_id):
            error.remedy = "it was cancelled: raise the timeout and clear the task that started it"

    def _was_execution_timeout(self, context: Context) -> bool:
        if self.execution_timeout is None:
            return False
        records = self._records(context)
        began = records.began() if records else None
        # Without a record, what is shorter has ended it.
        return (
            self.execution_timeout.total_seconds() < self.timeout
            if began is None
            else time.time() < began + self.timeout
        )

    def _timed_out(self) -> AirflowTaskTimeout:
        """Return the error of a wait that has met ``execution_timeout``, and give up what no retry waits on for."""
        error = self._too_late("within execution_timeout")
        error.remedy = "a retry goes on waiting for it"
        if self._skips or self._ti.try_number > self._ti.max_tries:
            error.remedy = "raise execution_timeout and clear this task to go on waiting for it"
            self._give_up(error)
        return AirflowTaskTimeout(str(error))

    def _too_late(self, limit: str = "in time") -> DeadlineExceeded:
        from airflow_provider_docconv.exceptions import DeadlineExceeded

        label = self._hook.service.label
        return DeadlineExceeded(
            f"{label} has not ended the conversion {limit}", operation_id=self.operation_id, document=self.source
        )

    def _records(self, context: Context) -> WaitRecords | None:
        """Return the record of this wait, None on an Airflow that has no store for it."""
        from airflow_provider_docconv.task_state import AirflowTaskState, WaitRecords, max_tries

        store = context.get("task_state_store")
        return WaitRecords(AirflowTaskState(store), self.operation_id, max_tries(context)) if store else None

    @cached_property
    def _hook(self) -> DocConvHook:
        from airflow_provider_docconv.hooks.docconv import DocConvHook

        hook = DocConvHook.for_connection(self.conn_id)
        self.service_url = hook.service_url
        return hook
