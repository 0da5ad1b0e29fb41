"""How long each turn of an event loop takes: for as long nobody else in it gets on."""

from __future__ import annotations

import asyncio
import selectors
import time
from dataclasses import dataclass, field
from math import ceil


@dataclass
class Turns:
    """
    The turns of a loop: what it does between two looks at its sockets and timers.

    :param cpu: processor time of the loop's thread in each turn, in seconds
    :param wall: and time by the clock, in seconds
    """

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def clear(self) -> None:
        """Begin anew."""
        self.cpu.clear()
        self.wall.clear()


class _Watched(selectors.DefaultSelector):
    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns
        self._began: tuple[float, float] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._began:
            cpu, wall = self._began
            self._turns.cpu.append(time.thread_time() - cpu)
            self._turns.wall.append(time.perf_counter() - wall)
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        self._began = time.thread_time(), time.perf_counter()
        return ready


def watched_loop(turns: Turns) -> asyncio.AbstractEventLoop:
    """
    Make a loop whose turns are measured.

    :param turns: gets them
    """
    return asyncio.SelectorEventLoop(_Watched(turns))


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all values does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
