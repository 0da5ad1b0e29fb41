"""How many calls a connection may make at once and in a second; pure."""

from __future__ import annotations

from collections import deque
from math import ceil, inf


class Budget:
    """
    The calls of one connection: those under way, and when the last ones were sent.

    It has no clock: all times are seconds on the clock of the caller, which never goes back.

    :param at_once: how many may be under way at once
    :param per_second: how many may be sent in any second; for a fraction, the next whole number, but no more than the
        fraction over a longer time
    """

    def __init__(self, at_once: int, per_second: float) -> None:
        self._at_once = at_once
        # At most so many within any span of at least a second: a bucket would let two bursts meet in one second.
        self._sent: deque[float] = deque(maxlen=ceil(per_second))
        self._span = ceil(per_second) / per_second
        self._under_way = 0
        self._paused_until = -inf

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may begin, infinite while only the end of another one helps."""
        if self._under_way >= self._at_once:
            return inf
        free = self._sent[0] + self._span if len(self._sent) == self._sent.maxlen else -inf
        return max(0.0, free - now, self._paused_until - now)

    def begin(self, now: float) -> None:
        """Take note that a call is sent."""
        self._under_way += 1
        self._sent.append(now)

    def end(self) -> None:
        """Take note that a call is over, whatever came of it."""
        self._under_way -= 1

    def pause(self, until: float) -> None:
        """Let no call begin before this time."""
        self._paused_until = max(self._paused_until, until)
