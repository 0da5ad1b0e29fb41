"""Looks at the triggerer while something runs: its memory, and the rows that it works from."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Self

import psutil
from sqlalchemy import create_engine, text

from dev.cluster import LocalAirflow

_PAUSE = 0.5
_LARGEST = text("SELECT max(octet_length(kwargs)) FROM trigger WHERE classpath LIKE '%BatchTrigger'")


class TriggererWatch:
    """
    Watches for as long as the context lasts.

    :param airflow: the Airflow
    :ivar before: the memory of all the triggerer's processes before, in bytes
    :ivar peak: and at its highest
    :ivar row: the largest row of a trigger, in bytes, as it lies in the database
    """

    def __init__(self, airflow: LocalAirflow) -> None:
        self._airflow = airflow
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.peak = self.row = 0

    def __enter__(self) -> Self:
        self.before = self.peak = self._memory()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        engine = create_engine(self._airflow.postgres.url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self._ended.wait(_PAUSE):
                largest = connection.execute(_LARGEST).scalar()
                self.row = max(self.row, largest or 0)
                self.peak = max(self.peak, self._memory())
        engine.dispose()

    def _memory(self) -> int:
        triggerer = psutil.Process(self._airflow.triggerer.pid)
        total = 0
        for process in (triggerer, *triggerer.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return int(total)
