"""Polls one operation until it has ended: when to poll, what a poll means, and the blocking and asynchronous loops."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable
from statistics import quantiles
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from airflow_provider_docconv.services.errors import (
    ConversionCanceled,
    ConversionFailed,
    DeadlineExceeded,
    DocConvError,
    OperationNotFound,
)
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.testing import delay

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient
    from airflow_provider_docconv.hooks.docconv import DocConvHook

#: When an operation was started, and which of those that were started at once it is.
Order: TypeAlias = tuple[float, int]
#: What a poll brought.
Outcome: TypeAlias = Operation | DocConvError

#: How long polls may fail before the wait does, in seconds: a failed poll is not a failed conversion.
FAULT_TOLERANCE = 900.0
#: A service that does not know an operation is believed when it says so again after this many seconds: one of its
#: servers may not know what another does, and giving up means paying again.
SECOND_LOOK = 60.0
# A poll at the deadline is given so many seconds: the operation may just have ended.
_LAST_POLL = 5.0
#: Polls are due at multiples of this, in seconds: a loop that wakes once for several needs less time for each.
GRID = 0.025
# Each process has a grid of its own, so that a service is not asked by all of them at once.
_PHASE = random.random()  # noqa: S311 - no secret


class Pace:
    """
    When to poll: often enough to notice an end soon, and no more, because the vendors bill polls.

    The interval grows with the time for which the operation has run. Where the service reports progress, the next poll
    is due shortly before the operation is expected to end. Once a few operations have ended, the others are first
    polled after most of the time that the quick ones took. As long as the service says that an operation is queued, all
    of its work is still to come.

    Operations that share a pace spare each other polls. Services work in the order of starts: if one is still queued,
    those that were started after it are, too, and one that leaves the queue begins when another ends. Until some have
    ended, a few are polled often for all.

    :param shortest: the shortest interval, in seconds
    :param longest: the longest interval, in seconds
    :param typical: seconds that a quick operation is known to take, 0 if unknown
    """

    _GROWTH = 0.2
    # Of what is left alone until others have ended; the seconds are those of one that runs, and may end any time.
    _GROWTH_PATIENT, _LONGEST_PATIENCE = 1.5, 15.0
    _JITTER, _QUEUE_SPREAD = 0.05, 0.2
    _FEWEST = 2
    # One in so many is polled often while it is not known how long operations take.
    _SAMPLE = 8
    # Of what is left by the progress so far: the last steps may be quicker than the first ones.
    _TRUST = 0.8

    def __init__(self, shortest: float, longest: float, typical: float = 0.0) -> None:
        self._shortest = shortest
        self.longest = max(shortest, longest)
        self.typical = typical
        self._durations: deque[float] = deque(maxlen=64)
        self._joined = 0
        self._seen_queued: deque[tuple[float, Order]] = deque(maxlen=16)
        self._were_queued: list[Order] = []
        self._ends: list[float] = []

    def join(self) -> int:
        """Count another operation, and return how many there are now."""
        self._joined += 1
        return self._joined

    def is_sample(self, number: int) -> bool:
        """Return whether the operation that joined with this number is polled often until some have ended."""
        return number <= self._FEWEST or number % self._SAMPLE == 0

    def saw_queued(self, order: Order, now: float) -> None:
        """
        Remember that an operation is in the service's queue.

        :param order: where it stands in the order of starts
        :param now: when that was seen
        """
        self._seen_queued.append((now, order))
        turn = bisect_left(self._were_queued, order)
        if self._were_queued[turn : turn + 1] != [order]:
            self._were_queued.insert(turn, order)

    def queued_until(self, order: Order) -> float:
        """Return when an operation was last known to be queued, because one that was started before it still was."""
        return max((at for at, other in self._seen_queued if other < order), default=0.0)

    def saw_end(self, now: float) -> None:
        """
        Remember that an operation has ended.

        :param now: when that was seen
        """
        self._ends.append(now)

    def began(self, order: Order, queued: float, now: float) -> float:
        """
        Return when an operation that has left the queue has probably begun: each end lets the next one begin.

        :param order: where it stands in the order of starts
        :param queued: when it was last known to be queued
        :param now: when it was seen to run
        """
        turn = bisect_left(self._were_queued, order)
        return max(queued, self._ends[turn]) if turn < len(self._ends) else now

    def place(self, order: Order) -> float:
        """
        Return the place of an operation among those that were seen in the queue, from 0 (first) to 1 (last).

        :param order: where it stands in the order of starts
        """
        return bisect_left(self._were_queued, order) / max(1, len(self._were_queued) - 1)

    def after(self, age: float, done: float = 0.0, place: float | None = None) -> float:
        """
        Return the seconds until the next poll.

        :param age: seconds for which the operation has run, as far as is known; if it is queued, for which it has been
        :param done: the share of its work that is done, 0 if the service does not say
        :param place: its place in the service's queue, as :meth:`place` returns it; None if it is not there
        """
        if age < self.typical and place is None:
            return min(max(self.typical - age, self._shortest), self.longest)
        interval = self._GROWTH * age
        # Operations that began together must not stay together.
        jitter = random.uniform(1 - self._JITTER, 1)  # noqa: S311 - no secret
        if place is not None:
            interval = max(interval, self.typical) if self.typical else self.patience(age, queued=True)
            # In the order in which they will begin: if the first is still queued, the others need no poll.
            jitter = 1 - self._QUEUE_SPREAD * (1 - place)
        if 0 < done < 1:
            # Never more than twice the age: a first step may be much quicker than the others.
            interval = min(self._TRUST * age * (1 - done) / done, 2 * age)
        return max(min(interval, self.longest) * jitter, self._shortest)

    def patience(self, age: float, *, queued: bool) -> float:
        """
        Return the seconds for which an operation is left alone while nothing is known of how long others take.

        :param age: seconds for which it has existed
        :param queued: whether the service said at the last poll that it has not begun
        """
        return min(self._GROWTH_PATIENT * age, self.longest if queued else self._LONGEST_PATIENCE, self.longest)

    def learn(self, duration: float) -> None:
        """Learn from an operation how long it took until its end was noticed, in seconds."""
        self._durations.append(duration)
        if len(self._durations) >= self._FEWEST:
            # A little less, because an estimate that is too long would never be corrected.
            self.typical = 0.9 * quantiles(self._durations, n=10, method="inclusive")[0]


class WaitReport(msgspec.Struct, frozen=True):
    """
    How a wait ended.

    :param state: the operation's last state
    :param polls: how many polls were sent
    :param seconds: from the start of the wait to the poll that found the end
    :param detection_delay: how long before that poll the operation may have ended, in seconds: the time since the poll
        before it
    """

    state: OperationState
    polls: int
    seconds: float
    detection_delay: float

    def __str__(self) -> str:
        return (
            f"{self.state} after {self.seconds:g} s and {self.polls} polls, "
            f"noticed at most {self.detection_delay:g} s late"
        )


class Wait:
    """
    Decides after each poll of an operation what to do next.

    :param operation_id: the operation
    :param service: the service's name, for messages
    :param deadline: when to stop, in seconds since the epoch
    :param pace: when to poll
    :param started: when the operation began, in seconds since the epoch, if known
    :param polls: how many polls were sent before, in another process
    :param fault_tolerance: seconds for which polls may fail
    """

    def __init__(
        self,
        operation_id: str,
        service: str,
        *,
        deadline: float,
        pace: Pace,
        started: float = float("inf"),
        polls: int = 0,
        fault_tolerance: float = FAULT_TOLERANCE,
    ) -> None:
        self.operation_id = operation_id
        self.polls = polls
        #: Whether the service answered the last poll.
        self.is_answered = False
        self._service = service
        self._deadline = deadline
        self._pace = pace
        self._started = started
        self._fault_tolerance = fault_tolerance
        self._failing_since: float | None = None
        self._unknown_since: float | None = None
        self._done = 0.0
        #: When the operation began to run, as far as is known: when it was started, or was seen in the queue last.
        self.ran_since = started
        self._is_queued = self._has_begun = False
        number = pace.join()
        self._is_sample = pace.is_sample(number)
        self._order: Order = (started, number)
        self._polled = self._considered = started
        self._shown = ""
        self._last_seen = started

    def is_needed(self, now: float) -> bool:
        """
        Tell whether to send the poll that is due, by what is known of the operations that share the pace.

        :param now: the time, in seconds since the epoch
        """
        considered, self._considered = self._considered, now
        if now >= self._deadline or self._failing_since is not None or self._unknown_since is not None:
            return True
        queued_until = 0.0 if self._has_begun else self._pace.queued_until(self._order)
        # A service may have several queues: the interval between two polls is never longer than was set.
        if queued_until > considered and now + self.until_next(now) <= self._polled + self._pace.longest:
            self.ran_since = max(self.ran_since, queued_until)
            return False
        if self._is_sample or self._pace.typical:
            return True
        patience = self._pace.patience(self._polled - self._started, queued=self._is_queued)
        # A little earlier, because the interval until now was shortened at random.
        return now >= self._polled + delay(0.9 * patience)

    def before_poll(self, now: float) -> float:
        """
        Count a poll that is sent now, and return when it must have its reply, in seconds since the epoch.

        A poll counts even if nobody waits for its reply, because the vendors bill it.

        :param now: the time, in seconds since the epoch
        """
        self.polls += 1
        self._polled = self._considered = now
        return max(self._deadline, now + _LAST_POLL)

    def after_poll(self, outcome: Outcome, now: float) -> Operation | float:
        """
        Return the operation if it has ended, else the seconds until the next poll.

        :param outcome: what the poll brought
        :param now: the time, in seconds since the epoch
        :raises DeadlineExceeded: if the deadline has passed
        :raises DocConvError: if polling can't succeed, or has failed for too long
        """
        self.is_answered = isinstance(outcome, Operation)
        if isinstance(outcome, Operation):
            self._failing_since = None
            self._done = outcome.done
            self._is_queued = outcome.state is OperationState.QUEUED
            if outcome.state is OperationState.RUNNING and not self._has_begun and self.ran_since > self._started:
                self.ran_since = self._pace.began(self._order, self.ran_since, now)
            self._has_begun = not self._is_queued
            if self._is_queued:
                self.ran_since = now
                self._pace.saw_queued(self._order, now)
            if outcome.state is not OperationState.NOT_FOUND:
                self._unknown_since = None
            elif self._unknown_since is None:
                self._unknown_since = now
            doubted = self._unknown_since is not None and now - self._unknown_since < delay(SECOND_LOOK)
            if outcome.state.is_terminal and not doubted:
                self._pace.saw_end(now)
                return outcome
            self._last_seen = now
        else:
            self._failing_since = now if self._failing_since is None else self._failing_since
            if not outcome.retryable or now - self._failing_since >= self._fault_tolerance:
                outcome.operation_id = self.operation_id
                raise outcome
        if now >= self._deadline:
            last = f"it was {outcome.progress}" if isinstance(outcome, Operation) else outcome.summary
            raise DeadlineExceeded(
                f"{self._service} did not finish the conversion in time: {last}", operation_id=self.operation_id
            )
        return self.until_next(now)

    def until_next(self, now: float) -> float:
        """Return the seconds until the next poll, which is not after the deadline."""
        since = self._started if self._is_queued else self.ran_since
        place = self._pace.place(self._order) if self._is_queued else None
        due = now + self._pace.after(max(0.0, now - since), self._done, place)
        due += (_PHASE - due) % GRID if GRID else 0.0
        return max(0.0, min(due, self._deadline) - now)

    def report(self, operation: Operation, now: float) -> WaitReport:
        """
        Summarise the wait.

        :param operation: the operation, which has ended
        :param now: when its end was noticed, in seconds since the epoch
        """
        return WaitReport(operation.state, self.polls, round(now - self._started, 1), round(now - self._last_seen, 1))

    def progress(self, operation: Operation) -> dict[str, Any]:
        """Return how far a running operation is, as the value of an XCom."""
        found = {"state": operation.state.value, "step": operation.step, "steps": operation.steps}
        known = {key: value for key, value in found.items() if value is not None}
        return {**known, "percent": round(100 * operation.done), "polls": self.polls}

    def changed_message(self, outcome: Outcome) -> str | None:
        """Return a line for the log if a poll brought something new."""
        text = outcome.progress if isinstance(outcome, Operation) else f"poll failed: {outcome.summary}"
        if text == self._shown:
            return None
        self._shown = text
        return self._line(text)

    def final_message(self, report: WaitReport) -> str:
        """Return a line for the log about the end."""
        return self._line(str(report))

    def _line(self, text: str) -> str:
        return f"{self._service}, operation {self.operation_id}: {text}"


def poll(hook: DocConvHook, wait: Wait) -> Outcome:
    """Poll once, from a worker."""
    try:
        return hook.get_operation(wait.operation_id, wait.before_poll(time.time()))
    except DocConvError as error:
        return error


def poll_until_ended(
    hook: DocConvHook, wait: Wait, first: float = 0.0, tell: Callable[[Outcome], None] | None = None
) -> Operation:
    """
    Poll until an operation has ended, and return it.

    :param hook: the service
    :param wait: decides after each poll
    :param first: seconds until the first poll
    :param tell: called after each poll but the last
    :raises DeadlineExceeded: if the deadline has passed
    :raises DocConvError: if polling can't succeed, or has failed for too long
    """
    seconds = first
    while True:
        time.sleep(delay(seconds))
        outcome = poll(hook, wait)
        step = wait.after_poll(outcome, time.time())
        if isinstance(step, Operation):
            return step
        if tell:
            tell(outcome)
        seconds = step


async def apoll(client: AsyncClient, wait: Wait) -> Outcome:
    """Poll once, from an event loop."""
    try:
        return await client.run(client.service.status(wait.operation_id), wait.before_poll(time.time()))
    except DocConvError as error:
        return error


async def apoll_until_ended(
    client: AsyncClient, wait: Wait, first: float = 0.0, tell: Callable[[Outcome], Awaitable[None]] | None = None
) -> Operation:
    """
    Poll until an operation has ended, and return it.

    :param client: the connection's client
    :param wait: decides after each poll
    :param first: seconds until the first poll
    :param tell: called after each poll but the last
    :raises DeadlineExceeded: if the deadline has passed
    :raises DocConvError: if polling can't succeed, or has failed for too long
    """
    seconds = first
    while True:
        await asyncio.sleep(delay(seconds))
        if not wait.is_needed(now := time.time()):
            seconds = wait.until_next(now)
            continue
        outcome = await apoll(client, wait)
        step = wait.after_poll(outcome, time.time())
        if isinstance(step, Operation):
            return step
        if tell:
            await tell(outcome)
        seconds = step


def require_succeeded(operation: Operation, service: str) -> None:
    """
    Check that an operation succeeded.

    :param operation: the operation, which has ended
    :param service: the service's name, for messages
    :raises ConversionFailed: if it failed
    :raises ConversionCanceled: if it was cancelled
    :raises OperationNotFound: if the service no longer knows it
    """
    if operation.state is OperationState.SUCCEEDED:
        return
    kind, what = {
        OperationState.CANCELED: (ConversionCanceled, f"{service} reports that the conversion was cancelled"),
        OperationState.NOT_FOUND: (OperationNotFound, f"{service} does not know the operation"),
    }.get(operation.state, (ConversionFailed, f"{service} could not convert the document"))
    raise kind(what, service_message=operation.message, operation_id=operation.id)
