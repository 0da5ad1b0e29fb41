"""The operations and when each begins and ends, which is settled when it is created."""

from __future__ import annotations

import heapq
import math
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

_EPOCH = time.time() - time.monotonic()


@dataclass(slots=True)
class Operation:
    """
    One conversion; there may be many thousands.

    :param digest: the SHA-256 of its source.
    :param damaged: whether the source can't be converted.
    :param created: when it was asked for, as all times on the operations' clock.
    :param begun: when its turn comes.
    :param ended: when it is done.
    :param lost: why the reply to its start was not heard: a fault of ours, or the client was gone.
    :param polls: how often its status was asked.
    """

    digest: bytes
    damaged: bool
    created: float
    begun: float
    ended: float
    lost: Literal["fault", "client"] | None = None
    polls: int = 0

    def status(self, now: float) -> str:
        """Return the vendor's word for where it is."""
        if now < self.begun:
            return "Enqueued"
        if now < self.ended:
            return "Started"
        return "Failed" if self.damaged else "Finished"

    def describe(self, id: str, now: float) -> dict[str, Any]:
        """Return what the vendor tells of it."""
        status = self.status(now)
        value = {"id": id, "method": "Convert", "status": status, "created": _stamp(self.created)}
        if now >= self.begun:
            value["started"] = _stamp(self.begun)
        if now < self.ended:
            return value
        value[status.lower()] = _stamp(self.ended)
        if not self.damaged:
            return value
        message = "The presentation is damaged."
        error = {
            "code": "errorInvalidPresentation",
            "description": message,
            "httpStatusCode": 400,
            "message": message,
        }
        return value | {"error": error}


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

    def create(self, digest: bytes, damaged: bool) -> tuple[str, Operation]:
        """
        Create one and return its id with it.

        :param digest: the SHA-256 of its source.
        :param damaged: whether it will fail.
        """
        now = self._clock()
        begun = self._turn(now)
        ended = begun + self._seconds * (1 + self._spread * self._random.uniform(-1, 1))
        if self._capacity is not None:
            heapq.heappush(self._places, ended)
        heapq.heappush(self._ends, ended)
        self.peak = max(self.peak, self.in_flight())
        id, operation = str(uuid.uuid4()), Operation(digest, damaged, now, begun, ended)
        self._known[id] = operation
        return id, operation

    def find(self, id: str) -> Operation | None:
        """Find one, forgotten or not."""
        return self._known.get(id)

    def is_forgotten(self, operation: Operation) -> bool:
        """Tell whether the service would no longer know it."""
        return self._clock() >= operation.ended + self._retention

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


def _stamp(moment: float) -> str:
    # As .NET writes it, with seven digits of a second.
    return f"{datetime.fromtimestamp(_EPOCH + moment, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
