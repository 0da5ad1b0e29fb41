"""Writes XComs that show how far a task is, from its worker or its trigger."""

from __future__ import annotations

import logging
import time
from typing import Any, ClassVar, Protocol

from asgiref.sync import sync_to_async

from airflow_provider_docconv.compat import XCom

log = logging.getLogger(__name__)

# Not worth a write to the database alone.
_ALWAYS_CHANGES = ("polls", "calls", "per_minute", "seconds_left", "at")

#: The XCom that shows the progress of a wait or a batch, and its outcome.
PROGRESS = "progress"
#: The XCom with the summary of a batch, which is there also if the task fails.
SUMMARY = "summary"


class TaskKey(Protocol):
    """What identifies a task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


async def push(task: TaskKey, key: str, value: Any) -> None:
    """
    Write an XCom.

    In a thread, because the configured XCom backend may block.

    :param task: the deferred task
    :param key: the XCom's key
    :param value: plain JSON values
    """
    await sync_to_async(XCom.set)(
        key, value, dag_id=task.dag_id, task_id=task.task_id, run_id=task.run_id, map_index=task.map_index
    )


def push_xcom(ti: Any, key: str, value: Any, log: Any) -> None:
    """
    Write an XCom in a worker; a failure is only logged, because the work matters more.

    :param ti: the task instance
    :param key: the XCom's key
    :param value: plain JSON values
    :param log: the task's log
    """
    try:
        ti.xcom_push(key=key, value=value)
    except Exception as error:  # Whatever the XCom backend raises.
        log.warning("Could not write the XCom %r: %s", key, error)


class Progress:
    """
    Shows the progress of a deferred task in an XCom, from time to time.

    Each XCom is a write to the database, which the triggerer performs for all of its triggers one by one. So they share
    one write per second; what does not get one is shown after a later poll.

    :param task: the deferred task, None if the trigger belongs to no task
    """

    _OWN_PAUSE = 15.0
    _COMMON_PAUSE = 1.0
    #: When any trigger of this process may write again, by the monotonic clock.
    common_next: ClassVar[float] = 0.0

    def __init__(self, task: TaskKey | None) -> None:
        self._task = task
        self._shown: dict[str, Any] = {}
        self._next = 0.0

    async def show(self, value: dict[str, Any]) -> None:
        """
        Show a value if more than the cost and the time has changed, and none was shown just before.

        :param value: plain JSON values
        """
        now, shown = time.monotonic(), {key: item for key, item in value.items() if key not in _ALWAYS_CHANGES}
        if self._task is None or shown == self._shown or now < max(self._next, Progress.common_next):
            return
        self._shown = shown
        self._next, Progress.common_next = now + self._OWN_PAUSE, now + self._COMMON_PAUSE
        try:
            await push(self._task, PROGRESS, value)
        except Exception as error:  # Whatever the XCom backend raises: the wait matters more.
            log.warning("Could not write the XCom %r: %s", PROGRESS, error)
            self._task = None
