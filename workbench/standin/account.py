"""The account: what was asked, what went wrong on purpose, and what became of each source."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from workbench.standin.operations import Operation

CALLS = ("token", "start", "status", "result", "cancel")
_COUNTS = ("created", "lost", "unexplained", "canceled", "polls", "results")


class Account:
    """
    Counts, from the start on.

    :ivar calls: the calls as they came, whatever they were answered.
    :ivar faults: the faults that they were answered, by call and kind.
    :ivar refused: the refusals that were no faults, by HTTP status.
    :ivar incomplete: the starts whose body never came to its end; they have created nothing.
    :ivar received: bytes of the requests' bodies.
    :ivar sent: bytes of the replies' bodies.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter(dict.fromkeys(CALLS, 0))
        self.faults: dict[str, Counter[str]] = {call: Counter() for call in CALLS}
        self.refused: Counter[str] = Counter()
        self.incomplete = 0
        self.received = 0
        self.sent = 0

    def to_json(self) -> dict[str, Any]:
        """Return the counts of calls."""
        return {
            "calls": self.calls,
            "faults": self.faults,
            "refused": self.refused,
            "incomplete": self.incomplete,
            "bytes": {"in": self.received, "out": self.sent},
        }


def summary(operations: Sequence[Operation], sources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """
    Return what can be said of all operations together.

    :param operations: the operations.
    :param sources: what :func:`by_source` has made of them.
    """
    lost = Counter(operation.lost for operation in operations)
    return {
        "created": len(operations),
        "sources": len(sources),
        "duplicates": len(operations) - len(sources),
        "canceled": sum(operation.canceled for operation in operations),
        "lost": lost["fault"] + lost["client"],
        "lost_by_client": lost["client"],
        "unexplained": sum(source["unexplained"] for source in sources.values()),
    }


def by_source(operations: Iterable[Operation]) -> dict[str, dict[str, Any]]:
    """
    Return what became of each source, by its SHA-256.

    These are ``created``, ``lost``, ``unexplained``, ``canceled``, ``polls`` and ``results`` (calls that asked for the
    status and for the result), and ``noticed_after``: for each operation whose end was told, the seconds from its end
    to the first reply about its status that told of it. One that was deleted before is not among them.

    A duplicate is explained if the replies to all earlier starts of its source were lost.

    :param operations: the operations, in the order in which they were created.
    """
    sources: dict[str, dict[str, Any]] = {}
    heard: set[bytes] = set()
    for operation in operations:
        source = sources.setdefault(operation.digest.hex(), dict.fromkeys(_COUNTS, 0) | {"noticed_after": []})
        source["created"] += 1
        source["lost"] += operation.lost is not None
        source["unexplained"] += operation.digest in heard
        source["canceled"] += operation.canceled
        source["polls"] += operation.polls
        source["results"] += operation.results
        if operation.noticed is not None:
            source["noticed_after"].append(round(operation.noticed, 3))
        if operation.lost is None:
            heard.add(operation.digest)
    return sources


def polls(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return how often the status of an operation was asked."""
    counts = sorted(operation.polls for operation in operations) or [0]
    return {
        "total": sum(counts),
        "median": statistics.median(counts),
        "p90": counts[math.ceil(0.9 * len(counts)) - 1],
        "max": counts[-1],
    }
