"""The operations and when each begins and ends, which is settled when it is created."""

from __future__ import annotations

import heapq
import math
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal


class State(Enum):
    """Where an operation is; each service has words of its own for it."""

    QUEUED = auto()
    RUNNING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(slots=True)
class Operation:
    """
    One conversion; there may be many thousands.

    :param service: the service that it was asked of.
    :param digest: the SHA-256 of its source.
    :param damaged: whether the source can't be converted.
    :param created: when it was asked for, as all times on the operations' clock.
    :param begun: when its turn comes.
    :param ended: when it is done.
    :param deleted: when the client has deleted it.
    :param lost: why the reply to its start was not heard: a fault of ours, or the client was gone.
    :param polls: how often its status was asked.
    :param results: how often its result was asked for.
    :param noticed: seconds from its end to the first reply that told of it.
    """

    service: str
    digest: bytes
    damaged: bool
    created: float
    begun: float
    ended: float
    deleted: float = math.inf
    lost: Literal["fault", "client"] | None = None
    polls: int = 0
    results: int = 0
    noticed: float | None = None

    @property
    def canceled(self) -> bool:
        """Whether it was deleted before it was done."""
        return self.deleted < self.ended

    def state(self, now: float) -> State:
        """Return where it is."""
        if now < self.begun:
            return State.QUEUED
        if now < self.ended:
            return State.RUNNING
        return State.FAILED if self.damaged else State.DONE

    def done(self, now: float) -> float:
        """Return the share of the work that is done, from 0 to 1."""
        if now >= self.ended:
            return 1.0
        return max(0.0, (now - self.begun) / (self.ended - self.begun))

    def notice(self, now: float) -> None:
        """Note that the client was told of its end."""
        if self.noticed is None:
            self.noticed = now - self.ended


class Operations:
    """
    All operations since the start; those that are forgotten stay in the account.

    :param seconds: how long one takes.
    :param spread: by what share of that it may take longer or shorter.
    :param capacity: how many are worked at once, None for all.
    :param retention: seconds from the end of one until it is forgotten.
    :param seed: decides about the spread.
    :param clock: gives the seconds.
    """

    def __init__(
        self,
        seconds: float,
        spread: float = 0.0,
        capacity: int | None = None,
        retention: float = math.inf,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._spread = spread
        self._capacity = capacity
        self._retention = retention
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._clock = clock
        self._known: dict[str, Operation] = {}
        # The ends of those under way, and for each place that works when it is free.
        self._ends: list[float] = []
        self._places: list[float] = []
        self.peak = 0

    def __len__(self) -> int:
        return len(self._known)

    def all(self) -> list[Operation]:
        """Return them in the order in which they were created."""
        return list(self._known.values())

    def create(self, digest: bytes, *, damaged: bool = False, service: str = "") -> tuple[str, Operation]:
        """
        Create one and return its id with it.

        :param digest: the SHA-256 of its source.
        :param damaged: whether it will fail.
        :param service: the service that it was asked of.
        """
        now = self._clock()
        begun = self._turn(now)
        ended = begun + self._seconds * (1 + self._spread * self._random.uniform(-1, 1))
        id, operation = str(uuid.uuid4()), Operation(service, digest, damaged, now, begun, ended)
        self._known[id] = operation
        self._expect(operation)
        self.peak = max(self.peak, self.in_flight())
        return id, operation

    def find(self, id: str, service: str) -> Operation | None:
        """
        Find one, forgotten or not.

        :param id: its id.
        :param service: the service that it was asked of.
        """
        found = self._known.get(id)
        return found if found and found.service == service else None

    def delete(self, operation: Operation) -> None:
        """Forget one; if it is under way, it ends, and those that queue move up."""
        if self.is_forgotten(operation):
            return
        operation.deleted = self._clock()
        if operation.canceled and self._capacity is None:
            self._ends.remove(operation.ended)
            heapq.heapify(self._ends)
        elif operation.canceled:
            self._plan_anew(operation.deleted)

    def finish(self) -> None:
        """End all that are under way or queue."""
        now = self._clock()
        for operation in self._known.values():
            if operation.ended > now and operation.deleted == math.inf:
                operation.begun, operation.ended = min(operation.begun, now), now
        self._ends.clear()
        self._places.clear()

    def is_forgotten(self, operation: Operation) -> bool:
        """Tell whether the service would no longer know it."""
        return self._clock() >= min(operation.deleted, operation.ended + self._retention)

    def in_flight(self) -> int:
        """Count those that are created and not done."""
        now = self._clock()
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return len(self._ends)

    def now(self) -> float:
        """Return the time on the operations' clock."""
        return self._clock()

    def _turn(self, now: float) -> float:
        # First come, first served, and how long each takes is known: nothing needs to be watched.
        if self._capacity is None or len(self._places) < self._capacity:
            return now
        return max(now, heapq.heappop(self._places))

    def _expect(self, operation: Operation) -> None:
        heapq.heappush(self._ends, operation.ended)
        if self._capacity is not None:
            heapq.heappush(self._places, operation.ended)

    def _plan_anew(self, now: float) -> None:
        # Measured: 5 to 10 ms with 10,000 in the queue.
        self._ends.clear()
        self._places.clear()
        for operation in self._known.values():
            if operation.deleted < math.inf or operation.ended <= now:
                continue
            if operation.begun > now:
                needed = operation.ended - operation.begun
                operation.begun = self._turn(now)
                operation.ended = operation.begun + needed
            self._expect(operation)
