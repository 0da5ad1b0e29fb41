"""Writes the XComs of a deferred task, from its trigger."""

from __future__ import annotations

import logging
import time
from typing import Any, ClassVar, Protocol

log = logging.getLogger(__name__)

#: The XCom that shows how far a wait is, and at its end what it came to.
PROGRESS = "progress"


class TaskKey(Protocol):
    """What tells a task instance from all others."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


async def push(task: TaskKey, key: str, value: Any) -> None:
    """
    Write an XCom.

    In a thread, because the XCom backend that somebody has chosen may block.

    :param task: the deferred task
    :param key: the XCom's key
    :param value: plain JSON values
    """
    from airflow.providers.common.compat.sdk import XCom
    from asgiref.sync import sync_to_async

    await sync_to_async(XCom.set)(
        key, value, dag_id=task.dag_id, task_id=task.task_id, run_id=task.run_id, map_index=task.map_index
    )


class Progress:
    """
    Shows in an XCom how far a deferred task is, now and then.

    Each XCom is a write to the database, which the triggerer does for all of its triggers, one after the other: so they
    share a place in each second, and what does not get one is shown by a later poll.

    :param task: the deferred task, None if the trigger belongs to no task
    """

    _OWN_PAUSE = 15.0
    _COMMON_PAUSE = 1.0
    _common_next: ClassVar[float] = 0.0

    def __init__(self, task: TaskKey | None) -> None:
        self._task = task
        self._shown: dict[str, Any] = {}
        self._next = 0.0

    async def show(self, value: dict[str, Any]) -> None:
        """
        Show a value if it differs from the last one in more than the polls, and none was shown just before.

        :param value: plain JSON values
        """
        now, news = time.monotonic(), {key: item for key, item in value.items() if key != "polls"}
        if self._task is None or news == self._shown or now < max(self._next, Progress._common_next):
            return
        self._shown = news
        self._next, Progress._common_next = now + self._OWN_PAUSE, now + self._COMMON_PAUSE
        try:
            await push(self._task, PROGRESS, value)
        except Exception as error:  # The wait is worth more than its picture.
            log.warning("The XCom %r could not be written: %s", PROGRESS, error)
            self._task = None
