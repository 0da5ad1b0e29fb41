"""Tells in the task's log how far a batch is."""

from __future__ import annotations

import logging
import time
from typing import Any

from airflow_provider_docconv.batch.table import Table

# Soon at first, because somebody may be looking; then as often as a night's log bears.
_INTERVALS = (5.0, 10.0, 15.0, 30.0, 60.0)
_DONE = ("delivered", "rejected", "failed", "skipped")


class ProgressLog:
    """
    Writes a line now and then.

    :param table: the documents
    :param log: the task's log
    """

    def __init__(self, table: Table, log: logging.Logger | Any) -> None:
        self._table = table
        self._log = log
        self._began = self._told = time.monotonic()
        self._lines = 0
        self._done_before = self._done()

    def tell(self, in_flight: int) -> None:
        """
        Write a line if it is time for one.

        :param in_flight: documents that are being converted
        """
        now = time.monotonic()
        if now - self._told < _INTERVALS[min(self._lines, len(_INTERVALS) - 1)]:
            return
        self._told = now
        self._lines += 1
        counts, total, done = self._table.counts(), len(self._table), self._done()
        rate = (done - self._done_before) / (now - self._began)
        text = f"{done:,} of {total:,} documents done ({100 * done // max(total, 1)} %), {in_flight} in flight"
        if bad := counts["rejected"] + counts["failed"]:
            text += f", {bad:,} of them not converted"
        if rate:
            text += f", {_rate(rate)}, about {duration((total - done) / rate)} left"
        self._log.info("%s", text)

    def _done(self) -> int:
        counts = self._table.counts()
        return sum(counts[state] for state in _DONE)


def _rate(a_second: float) -> str:
    if a_second < 0.01:
        return f"{a_second * 3600:.2g} an hour"
    return f"{a_second:,.0f} a second" if a_second >= 10 else f"{a_second:.2g} a second"


def duration(seconds: float) -> str:
    """Say how long something takes, in the words of a person."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
