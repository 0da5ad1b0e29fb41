"""How far a batch is, in the log and for Airflow's UI."""

from __future__ import annotations

import time
from typing import Any, Self

import msgspec
import pendulum
from msgspec.structs import replace

# When progress is told: soon at first, because somebody may be watching; then as often as a log can take.
_INTERVALS = (5.0, 10.0, 15.0, 30.0, 60.0)
# As long as nothing has changed, a line now and then shows that somebody is there.
_UNCHANGED = 600.0


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """
    The documents of a batch by state, and how quickly they are being converted.

    :param documents: how many there are; the following eight counts make them up
    :param delivered: converted in this run, with results at the destination
    :param skipped: converted by an earlier run
    :param rejected: not converted until something changes
    :param failed: not converted in this run
    :param waiting: not started yet
    :param in_flight: being converted by the service
    :param ended: converted by the service, and to be delivered
    :param calls: calls to the services in this run
    :param converted: conversions that have succeeded at the service in this run
    :param since: when the first of them began, in seconds since the epoch, None if none has
    :param shortest: the seconds that the quickest of them took
    """

    documents: int = 0
    delivered: int = 0
    skipped: int = 0
    rejected: int = 0
    failed: int = 0
    waiting: int = 0
    in_flight: int = 0
    ended: int = 0
    calls: int = 0
    converted: int = 0
    since: float | None = None
    shortest: float | None = None

    def with_ended(self, count: int, calls: int) -> Self:
        """
        Return it as it is when more operations have succeeded.

        :param count: how many
        :param calls: calls that this took
        """
        return replace(
            self,
            in_flight=max(0, self.in_flight - count),
            ended=self.ended + count,
            converted=self.converted + count,
            calls=self.calls + calls,
        )

    def per_minute(self, now: float) -> float | None:
        """
        Return how many conversions have succeeded in a minute, None as long as too few have.

        :param now: the time, in seconds since the epoch
        """
        # Before as much time has passed again as the quickest took, others of the first ones are still to come.
        if self.since is None or self.shortest is None or now - self.since < 2 * self.shortest:
            return None
        return 60 * self.converted / max(1.0, now - self.since)

    def seconds_left(self, now: float) -> float | None:
        """
        Estimate the seconds until all are converted; None if that can't be said yet.

        Only conversions count: documents that are skipped or rejected take no time.

        :param now: the time, in seconds since the epoch
        """
        rate = self.per_minute(now)
        return 60 * (self.waiting + self.in_flight) / rate if rate else None

    def values(self, now: float) -> dict[str, Any]:
        """
        Return plain JSON values for Airflow's XCom ``progress``.

        :param now: the time, in seconds since the epoch
        """
        rate, left = self.per_minute(now), self.seconds_left(now)
        values: dict[str, Any] = msgspec.to_builtins(self)
        del values["since"], values["shortest"]
        values["per_minute"] = None if rate is None else round(rate, 2)
        values["seconds_left"] = None if left is None else round(left)
        values["at"] = pendulum.from_timestamp(int(now)).isoformat()
        return values

    def sentence(self, now: float) -> str:
        """
        Return it for the log.

        :param now: the time, in seconds since the epoch
        """
        done = self.delivered + self.skipped + self.rejected + self.failed
        share = 100 * done // max(self.documents, 1)
        parts = [f"{done:,} of {self.documents:,} documents done ({share} %)"]
        counts = {
            "delivered": self.delivered,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "failed": self.failed,
            "at the service": self.in_flight,
            "to deliver": self.ended,
            "waiting": self.waiting,
        }
        parts.append(", ".join(f"{count:,} {what}" for what, count in counts.items() if count))
        if rate := self.per_minute(now):
            parts.append(_rate(rate))
        if left := self.seconds_left(now):
            parts.append(f"about {duration(left)} left")
        return "; ".join(filter(None, parts))


class Schedule:
    """Tells when to say again how far a batch is."""

    def __init__(self) -> None:
        self._last: Progress | None = None
        self._told = time.monotonic()
        self._times = 0

    def is_due(self) -> bool:
        """Tell whether enough time has passed since the last time."""
        return time.monotonic() - self._told >= _INTERVALS[min(self._times, len(_INTERVALS) - 1)]

    def is_news(self, progress: Progress) -> bool:
        """
        Tell whether something is worth saying, and count it as said.

        :param progress: how far the batch is
        """
        same = self._last is not None and replace(progress, calls=self._last.calls) == self._last
        if same and time.monotonic() - self._told < _UNCHANGED:
            return False
        self._last = progress
        self._told = time.monotonic()
        self._times += 1
        return True


def duration(seconds: float) -> str:
    """Return a number of seconds as people write it."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    span = pendulum.duration(seconds=round(seconds))
    if hours := span.in_hours():
        return f"{hours:,} h {span.minutes:02} min"
    return f"{span.minutes} min {span.remaining_seconds:02} s" if span.minutes else f"{span.remaining_seconds} s"


def _rate(a_minute: float) -> str:
    if a_minute < 1:
        return f"{a_minute * 60:.2g} conversions an hour"
    return f"{a_minute:,.0f} conversions a minute" if a_minute >= 10 else f"{a_minute:.1f} conversions a minute"
