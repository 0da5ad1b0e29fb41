"""A test mode, in which nothing waits: :func:`no_delays`, :func:`set_testing`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

#: The longest delay in test mode, in seconds. Without any, polls would keep a processor busy.
LONGEST = 0.01

_active = False
_delays: list[float] | None = None


def set_testing(active: bool = True) -> None:
    """
    Switch the test mode of this process on or off.

    :param active: whether retries, pauses and polls shall not wait
    """
    global _active
    _active = active


@contextmanager
def no_delays() -> Iterator[list[float]]:
    """Switch the test mode on, and give a list that gets each delay there would have been, in seconds."""
    global _active, _delays
    before, _active, _delays = (_active, _delays), True, []
    try:
        yield _delays
    finally:
        _active, _delays = before


def delay(seconds: float) -> float:
    """
    Return how long to wait: as long as it takes, or next to nothing in test mode.

    :param seconds: the delay outside of tests
    """
    if not _active:
        return seconds
    if _delays is not None and seconds > 0:
        _delays.append(seconds)
    return min(seconds, LONGEST)
