"""Polls one operation until it has ended: when to poll, what each poll means, and the loop in both colours."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from math import frexp, ldexp, remainder
from statistics import quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_docconv.services.errors import (
    ConversionCanceled,
    ConversionFailed,
    DeadlineExceeded,
    DocConvError,
    OperationNotFound,
)
from airflow_provider_docconv.services.operations import Operation, OperationState
from airflow_provider_docconv.wakeups import wakeups

if TYPE_CHECKING:
    from airflow_provider_docconv.client.asynchronous import AsyncClient
    from airflow_provider_docconv.hooks.docconv import DocConvHook

#: How long polls may fail before the wait does, in seconds: a failed poll is not a failed conversion.
FAULT_TOLERANCE = 900.0
#: An operation this young, in seconds, has not expired: if a server of the service does not know it, another one may.
YOUNG = 60.0
SECOND_LOOK = 60.0
# How far apart the instants are that polls share: this part of their interval, but no more than so many seconds.
_APART, _MOST_APART = 0.05, 0.25
# Each process has instants of its own, so that a service is not asked by all of them at once.
_PHASE = random.random()  # noqa: S311 - no secret


def coalesced(due: float, interval: float) -> float:
    """
    Return the nearest instant that other polls of this process share.

    A loop that wakes once for many polls needs less processor time for each. No poll is moved by more than a fortieth
    of its interval or an eighth of a second, as often to an earlier time as to a later one.

    :param due: when the poll is due, in seconds since the epoch
    :param interval: the seconds since the one before
    """
    if interval <= 0:
        return due
    # A power of two, so that waits of different intervals share instants, too.
    apart = ldexp(0.5, frexp(min(_APART * interval, _MOST_APART))[1])
    return due - remainder(due - _PHASE, apart)


class Pace:
    """
    When to poll, so that few polls (which the vendors bill) lose little time.

    The interval grows with the age of the operation. Where the service reports progress, the next poll is near the end
    that it promises. Once a few operations have ended, the others are left alone until most of what the quick ones took
    has passed.

    :param shortest: the shortest interval, in seconds
    :param longest: the longest interval, in seconds
    :param typical: seconds that a quick operation is known to take, 0 if nothing is known
    """

    _GROWTH = 0.2
    _JITTER = 0.05
    _FEWEST = 8
    # Of what is left by the progress so far: the last steps may be quicker than the first ones.
    _TRUST = 0.8

    def __init__(self, shortest: float, longest: float, typical: float = 0.0) -> None:
        self._shortest = shortest
        self._longest = max(shortest, longest)
        self.typical = typical
        self._durations: deque[float] = deque(maxlen=64)

    def after(self, age: float, done: float = 0.0) -> float:
        """
        Return the seconds until the next poll.

        :param age: seconds for which the operation has run
        :param done: the share of the work that it has done, 0 if it does not say
        """
        if age < self.typical:
            return min(max(self.typical - age, self._shortest), self._longest)
        interval = self._GROWTH * age
        if 0 < done < 1:
            # Never more than twice the age: a first step may be much quicker than the others.
            interval = min(self._TRUST * age * (1 - done) / done, 2 * age)
        interval = min(interval, self._longest)
        # Operations that began together must not be polled together for ever.
        return max(interval * random.uniform(1 - self._JITTER, 1), self._shortest)  # noqa: S311 - no secret

    def learn(self, duration: float) -> None:
        """Take note of how long an operation took until its end was noticed, in seconds."""
        self._durations.append(duration)
        if len(self._durations) >= self._FEWEST:
            # A little less than that: an estimate that is too long would never be found out.
            self.typical = 0.9 * quantiles(self._durations, n=10, method="inclusive")[0]


class WaitReport(NamedTuple):
    """
    What a wait came to.

    :param state: where the operation ended
    :param polls: how many polls were sent
    :param seconds: from the beginning of the wait to the poll that brought the end
    :param lost: seconds for which the operation had ended at most before that poll: those since the poll before
    """

    state: str
    polls: int
    seconds: float
    lost: float

    def __str__(self) -> str:
        return f"{self.state} within {self.seconds:g} s; {self.polls} polls, noticed at most {self.lost:g} s late"


class Wait:
    """
    What to do after each poll.

    :param operation_id: the operation
    :param service: the service's name, for messages
    :param deadline: when to give up, in seconds since the epoch
    :param pace: when to poll
    :param started: when the operation began, in seconds since the epoch, as far as known
    :param polls: how many polls were sent before, by whoever waited then
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
        self._operation_id = operation_id
        self._service = service
        self._deadline = deadline
        self._pace = pace
        self._started = started
        self._fault_tolerance = fault_tolerance
        #: How many polls were sent; whoever sends them counts them.
        self.polls = polls
        self._failing_since: float | None = None
        self._done = 0.0
        self._shown = ""
        self._last_seen = started

    def after_poll(self, outcome: Operation | DocConvError, now: float) -> Operation | float:
        """
        Return the operation if it has ended, else the seconds until the next poll.

        :param outcome: what the poll brought
        :param now: the time, in seconds since the epoch
        :raises DeadlineExceeded: if it is too late to go on
        :raises DocConvError: if polling can't succeed, or has failed for too long
        """
        if isinstance(outcome, Operation):
            self._failing_since = None
            self._done = outcome.done
            unknown_yet = outcome.state is OperationState.NOT_FOUND and 0 <= now - self._started < YOUNG
            if outcome.state.is_terminal and not unknown_yet:
                return outcome
            self._last_seen = now
        else:
            self._failing_since = now if self._failing_since is None else self._failing_since
            if not outcome.retryable or now - self._failing_since >= self._fault_tolerance:
                outcome.operation_id = self._operation_id
                raise outcome
        if now >= self._deadline:
            last = f"it was {outcome.progress}" if isinstance(outcome, Operation) else outcome.summary
            raise DeadlineExceeded(
                f"{self._service} has not ended the conversion in time: {last}", operation_id=self._operation_id
            )
        return self.until_next(now)

    def until_next(self, now: float) -> float:
        """Return the seconds until the next poll, which is not after the deadline."""
        interval = self._pace.after(max(0.0, now - self._started), self._done)
        return max(0.0, min(coalesced(now + interval, interval), self._deadline) - now)

    @property
    def is_answered(self) -> bool:
        """Whether the last poll was answered."""
        return self.polls > 0 and self._failing_since is None

    def report(self, operation: Operation, now: float) -> WaitReport:
        """
        Tell what the wait came to.

        :param operation: the operation, which has ended
        :param now: the time at which its end was noticed, in seconds since the epoch
        """
        seconds, lost = now - self._started, now - self._last_seen
        return WaitReport(operation.state.value, self.polls, round(seconds, 1), round(lost, 1))

    def standing(self, operation: Operation) -> dict[str, Any]:
        """Tell how far an operation is, as the value of an XCom."""
        found = {"state": operation.state.value, "step": operation.step, "steps": operation.steps}
        known = {key: value for key, value in found.items() if value is not None}
        return {**known, "percent": round(100 * operation.done), "polls": self.polls}

    def news(self, outcome: Operation | DocConvError) -> str | None:
        """Return a line for the log if the poll brought something new; an end has :meth:`last_line`."""
        text = outcome.progress if isinstance(outcome, Operation) else f"not known for now: {outcome.summary}"
        if text == self._shown:
            return None
        self._shown = text
        return self._line(text)

    def last_line(self, report: WaitReport) -> str:
        """Return a line for the log about an end."""
        return self._line(str(report))

    def _line(self, text: str) -> str:
        return f"{self._service}, operation {self._operation_id}: {text}"


def require_succeeded(operation: Operation, service: str) -> None:
    """
    Check that an operation ended well.

    :param operation: the operation, which has ended
    :param service: the service's name, for messages
    :raises ConversionFailed: if it failed
    :raises ConversionCanceled: if it was cancelled
    :raises OperationNotFound: if the service does not know it any more
    """
    if operation.state is OperationState.SUCCEEDED:
        return
    if operation.state is OperationState.CANCELED:
        raise ConversionCanceled(
            f"the conversion was cancelled at {service}", service_message=operation.message, operation_id=operation.id
        )
    if operation.state is OperationState.NOT_FOUND:
        raise OperationNotFound(
            f"{service} does not know the operation", service_message=operation.message, operation_id=operation.id
        )
    raise ConversionFailed(
        f"{service} could not convert the document", service_message=operation.message, operation_id=operation.id
    )


async def watch(
    client: AsyncClient,
    operation_id: str,
    wait: Wait,
    first: float,
    tell: Callable[[str | None, Operation | None], Awaitable[None]] | None = None,
) -> Operation:
    """
    Poll until an operation has ended, and return it.

    :param client: the connection's client
    :param operation_id: the operation
    :param wait: decides after each poll
    :param first: seconds until the first poll
    :param tell: is told of each poll before the last: in words if it brought something new, and the operation if the
        service answered
    :raises DeadlineExceeded: if it is too late to go on
    :raises DocConvError: if polling can't succeed, or has failed for too long
    """
    delay = first
    while True:
        await wakeups().sleep(delay)
        wait.polls += 1
        outcome: Operation | DocConvError
        try:
            outcome = await client.run(client.service.status(operation_id))
        except DocConvError as error:
            outcome = error
        step = wait.after_poll(outcome, time.time())
        if isinstance(step, Operation):
            return step
        if tell:
            await tell(wait.news(outcome), outcome if isinstance(outcome, Operation) else None)
        delay = step


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
        require_succeeded(step, self._hook.service.label)
        return None

    def _show_progress(self, outcome: Operation | DocConvError) -> None:
        now = time.monotonic()
        if not self._show or not isinstance(outcome, Operation) or now < self._next_show:
            return
        self._next_show = now + _SHOW_PAUSE
        self._show(self.wait.standing(outcome))
