"""Polls an operation from a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.services.errors import DocConvError
from airflow_provider_docconv.services.operations import Operation
from airflow_provider_docconv.waiting import Wait, require_succeeded

if TYPE_CHECKING:
    from airflow_provider_docconv.hooks.docconv import DocConvHook

# Each showing is a call to Airflow and a write to its database.
_SHOW_PAUSE = 15.0


class Poller:
    """
    One wait, held by a worker.

    :param hook: the service
    :param operation_id: the operation
    :param wait: decides after each poll
    :param log: gets a line when a poll brings something new
    :param show: gets how far the operation is, now and then, and at the end what the wait came to; None if nobody does
    """

    def __init__(
        self, hook: DocConvHook, operation_id: str, wait: Wait, log: Any, show: Callable[[dict[str, Any]], None] | None
    ) -> None:
        self.wait = wait
        self._hook = hook
        self._operation_id = operation_id
        self._log = log
        self._show = show
        self._next_show = 0.0

    def poll(self) -> float | None:
        """
        Poll once, and return the seconds until the next poll, or None if the conversion succeeded.

        :raises DeadlineExceeded: if it is too late to go on
        :raises DocConvError: if the conversion did not succeed, or the wait can't go on
        """
        self.wait.polls += 1
        outcome: Operation | DocConvError
        try:
            outcome = self._hook.get_operation(self._operation_id)
        except DocConvError as error:
            outcome = error
        step = self.wait.after_poll(outcome, time.time())
        if not isinstance(step, Operation):
            if line := self.wait.news(outcome):
                self._log.info("%s", line)
                self._show_progress(outcome)
            return step
        if self._show:
            report = self.wait.report(step, time.time())
            self._log.info("%s", self.wait.last_line(report))
            self._show(report._asdict())
        require_succeeded(step, self._hook.fields.label)
        return None

    def _show_progress(self, outcome: Operation | DocConvError) -> None:
        now = time.monotonic()
        if not self._show or not isinstance(outcome, Operation) or now < self._next_show:
            return
        self._next_show = now + _SHOW_PAUSE
        self._show(self.wait.standing(outcome))
