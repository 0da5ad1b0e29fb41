"""Who of a connection's users sends next."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from concurrent.futures import Future
from math import inf
from time import monotonic
from typing import Any

from airflow_provider_docconv.client.budget import Budget
from airflow_provider_docconv.client.promises import promise
from airflow_provider_docconv.client.steps import Await, Sleep, Talk


class Turns:
    """
    The queue of all who want to send over one connection, from any thread and event loop: first come, first served.

    Only its head looks at the clock; the others wait until they are the head. An upload holds its place in the budget
    until its reply is there, which may take minutes. Polls are served from the other places meanwhile, so a connection
    needs more of them than there are transfers (20 and 8 by default). With fewer, a poll waits for the end of an upload
    at worst: the timeouts end one that stands still, and no later upload overtakes the poll.

    :param budget: what the connection may do
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        # Reentrant: a talk that nobody goes on with leaves wherever the garbage collector happens to find it.
        self._lock = threading.RLock()
        # Weak: otherwise tasks of an event loop that was closed under them would stand here for ever.
        self._queue: deque[weakref.ref[Turn]] = deque()

    def pause(self, seconds: float) -> None:
        """Let nobody send for these seconds."""
        with self._lock:
            self._budget.pause(monotonic() + seconds)

    def join(self, turn: Turn) -> None:
        """Put a turn at the end of the queue."""
        with self._lock:
            self._queue.append(weakref.ref(turn))

    def advance(self, turn: Turn) -> Sleep | Await | None:
        """Return what a turn has to do before it asks again, or None when its call may be sent."""
        with self._lock:
            if self._wait(turn):
                bell = turn.bell = promise()
                # Looked at again: garbage that was collected meanwhile may have ended calls, and found no bell to ring.
                if seconds := self._wait(turn):
                    return Await(bell) if seconds == inf else Sleep(seconds)
            self._queue.popleft()
            self._budget.begin(monotonic())
            turn.under_way = True
            self._ring()
            return None

    def leave(self, turn: Turn) -> None:
        """Take a turn out, whether its call was sent or not."""
        with self._lock:
            if turn.under_way:
                self._budget.end()
            else:
                self._queue = deque(each for each in self._queue if each() is not turn)
            self._ring()

    def _wait(self, turn: Turn) -> float:
        return self._budget.wait(monotonic()) if self._head() is turn else inf

    def _head(self) -> Turn | None:
        while self._queue:
            if turn := self._queue[0]():
                return turn
            self._queue.popleft()
        return None

    def _ring(self) -> None:
        head = self._head()
        if head and head.bell and not head.bell.done() and self._budget.wait(monotonic()) < inf:
            head.bell.set_result(None)


class Turn:
    """
    One call's turn, from its place in the queue to its end; a context, which ends it.

    :param turns: the queue
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.bell: Future[Any] | None = None
        self.under_way = False

    def __enter__(self) -> Turn:
        self._turns.join(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._turns.leave(self)

    def come(self) -> Talk[None]:
        """Wait until the call may be sent."""
        while step := self._turns.advance(self):
            yield step
