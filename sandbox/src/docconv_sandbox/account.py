"""The account: what was asked, what went wrong on purpose, and what became of each source."""

from __future__ import annotations

import math
import socket
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp.web_protocol import RequestHandler

from docconv_sandbox.faults import CALLS

_COUNTS = ("starts", "created", "lost", "duplicates", "canceled", "polls", "results")


@dataclass(slots=True, eq=False)
class Entry:
    """
    What the account keeps of one operation, also when the service has forgotten it.

    :param service: the service that it was asked of.
    :param digest: the SHA-256 of its source; empty if the source was not there.
    :param target: the target format.
    :param lost: why the reply to its start was not heard: a fault, or the client was gone.
    :param canceled: whether it was cancelled before it was done.
    :param polls: how often its status was asked.
    :param results: how often its result was asked for.
    :param ended: when it ended, on the monotonic clock.
    :param noticed: seconds from its end to the first reply that told of it.
    """

    service: str
    digest: bytes
    target: str
    lost: Literal["fault", "client"] | None = None
    canceled: bool = False
    polls: int = 0
    results: int = 0
    ended: float | None = None
    noticed: float | None = None


@dataclass
class Account:
    """
    Counts, from the start on.

    :ivar calls: the calls as they came, by sort, whatever they were answered.
    :ivar methods: the same by the vendors' methods.
    :ivar starts: the starts whose document has come, by source.
    :ivar refused: the refusals that were no faults, by HTTP status.
    :ivar faults: the faults, by call and kind.
    :ivar incomplete: the starts whose body never came to its end; they have created nothing.
    """

    calls: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys((*CALLS, "other"), 0)))
    methods: Counter[str] = field(default_factory=Counter)
    starts: Counter[bytes] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Counter[str]] = field(default_factory=lambda: {call: Counter() for call in CALLS})
    incomplete: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    in_flight: int = 0
    peak_in_flight: int = 0

    def created(self, id: str, entry: Entry) -> None:
        """Note that an operation was created."""
        self.entries[id] = entry
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def ended(self, id: str) -> None:
        """Note that an operation has ended."""
        self.in_flight -= 1
        self.entries[id].ended = time.monotonic()

    def told(self, entry: Entry) -> None:
        """Note that the client was told of an operation's end."""
        if entry.noticed is None and entry.ended is not None:
            entry.noticed = time.monotonic() - entry.ended

    def to_json(self, *, details: bool) -> dict[str, Any]:
        """
        Give the counts.

        :param details: whether with what became of each source, which is much where there were many.
        """
        entries = self.entries.values()
        sources = self._by_source()
        lost = Counter(entry.lost for entry in entries)
        return {
            "calls": self.calls,
            "methods": dict(sorted(self.methods.items())),
            "refused": self.refused,
            "faults": self.faults,
            "incomplete": self.incomplete,
            "polls": _spread(entry.polls for entry in entries),
            "totals": {
                "created": len(entries),
                "sources": len(sources),
                "duplicates": sum(source["duplicates"] for source in sources.values()),
                "lost": lost["fault"] + lost["client"],
                "lost_by_client": lost["client"],
                "canceled": sum(entry.canceled for entry in entries),
                "in_flight": self.in_flight,
                "peak_in_flight": self.peak_in_flight,
            },
            "sources": sources if details else {},
        }

    def _by_source(self) -> dict[str, dict[str, Any]]:
        def nothing(digest: bytes) -> dict[str, Any]:
            return dict.fromkeys(_COUNTS, 0) | {"starts": self.starts[digest], "noticed_after": []}

        sources = {digest.hex(): nothing(digest) for digest in self.starts}
        heard: set[tuple[str, bytes, str]] = set()
        for entry in self.entries.values():
            if not entry.digest:
                continue
            source = sources.setdefault(entry.digest.hex(), nothing(entry.digest))
            asked = (entry.service, entry.digest, entry.target)
            source["created"] += 1
            source["lost"] += entry.lost is not None
            # A second operation is explained if the replies to all earlier starts were lost.
            source["duplicates"] += asked in heard
            source["canceled"] += entry.canceled
            source["polls"] += entry.polls
            source["results"] += entry.results
            if entry.noticed is not None:
                source["noticed_after"].append(round(entry.noticed, 3))
            if entry.lost is None:
                heard.add(asked)
        return sources


def _spread(polls: Any) -> dict[str, Any]:
    counts = sorted(polls) or [0]
    return {
        "total": sum(counts),
        "median": statistics.median(counts),
        "p90": counts[math.ceil(0.9 * len(counts)) - 1],
        "max": counts[-1],
    }


class Connections:
    """The clients' connections that carried a call: how many, and whether one closed with a start's reply unread."""

    def __init__(self) -> None:
        # With the operation that was started over it last, until another call shows that its reply was read.
        self._open: dict[object, Entry | None] = {}
        self._unsent: set[object] = set()
        self.opened = 0
        self.peak = 0

    def to_json(self) -> dict[str, int]:
        """Give the counts."""
        return {"open": len(self._open), "opened": self.opened, "peak": self.peak}

    def used(self, connection: object) -> None:
        """Note that a connection carries a call."""
        self.opened += connection not in self._open
        self._open[connection] = None
        self.peak = max(self.peak, len(self._open))

    def started(self, connection: object, entry: Entry) -> None:
        """Note that an operation was created, of which the client does not know yet."""
        if connection in self._open:
            self._open[connection] = entry
            self._unsent.add(connection)
        else:
            _lose(entry)

    def answered(self, connection: object) -> None:
        """Note that the reply to the call is sent."""
        self._unsent.discard(connection)

    def closed(self, handler: RequestHandler, error: BaseException | None) -> None:
        """Note that a connection is closed; to be called before its socket is."""
        entry = self._open.pop(handler, None)
        if entry and (error is not None or handler in self._unsent or _was_reset(handler)):
            _lose(entry)
        self._unsent.discard(handler)


def _was_reset(handler: RequestHandler) -> bool:
    # After a FIN the kernel keeps a reset to itself until it is asked: the client closed, then our reply came.
    # Under TLS asyncio has closed the socket by now: a client that closed just before our reply counts as one that
    # has heard it.
    found = handler.transport.get_extra_info("socket") if handler.transport else None
    return found is not None and found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def _lose(entry: Entry) -> None:
    # Where a fault has lost the reply already, the client's end adds nothing.
    entry.lost = entry.lost or "client"
