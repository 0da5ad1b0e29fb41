"""
Writes down what happens to a batch, before the next thing happens.

A journal is a row of small segments in the task's state. Writers in several threads share one write: whoever comes
while one is under way goes into the next one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from airflow_provider_docconv.batch.entries import Entry
from airflow_provider_docconv.services.errors import LedgerDamaged
from airflow_provider_docconv.task_state import TaskState

# Every write sends the whole segment: small ones are cheap to write, large ones are few to read.
_FULL = 16 << 10


class Journal:
    """
    The journal of one task.

    :param state: where it lies
    """

    def __init__(self, state: TaskState) -> None:
        self._state = state
        self._number = 0
        self._segment: dict[str, dict[str, Any]] = {}
        self._seq = 0
        self._lock = threading.Lock()
        self._turn = threading.Condition()
        self._busy = False
        self._changes = self._written = 0

    def read(self) -> Iterator[Entry]:
        """
        Return the entries in the order of their writing, and go on writing behind them.

        :raises LedgerDamaged: if one is not of the journal's form
        """
        while (segment := self._state.get(_name(self._number))) is not None:
            self._number += 1
            try:
                if not isinstance(segment, list):
                    raise ValueError("it is no list")
                entries = [Entry.from_json(values) for values in segment]
            except ValueError as error:
                raise LedgerDamaged(f"the task's own record of this batch can't be read ({error})") from error
            for entry in entries:
                self.see(entry.seq)
                yield entry

    def see(self, seq: int) -> None:
        """Take note of an entry from elsewhere, so that those to come are later ones."""
        with self._lock:
            self._seq = max(self._seq, seq)

    def write(self, entry: Entry) -> Entry:
        """Write an entry, and return it with its number when it is durable."""
        entry, change = self._add(entry)
        with self._turn:
            while self._busy and self._written < change:
                self._turn.wait()
            if self._written >= change:
                return entry  # It went along with somebody else's.
            self._busy = True
        self._take_turn()
        return entry

    def note(self, entry: Entry) -> Entry:
        """Write an entry if nobody else is writing; else it goes along with the next one. Return it with its number."""
        entry, _ = self._add(entry)
        with self._turn:
            if self._busy:
                return entry
            self._busy = True
        self._take_turn()
        return entry

    def _add(self, entry: Entry) -> tuple[Entry, int]:
        with self._lock:
            # Counts on over tries and runs, whose clocks may differ.
            self._seq = max(self._seq + 1, time.time_ns() // 1000)
            entry = replace(entry, seq=self._seq)
            self._segment.pop(entry.key, None)  # The later one comes last.
            self._segment[entry.key] = entry.to_json()
            self._changes += 1
            return entry, self._changes

    def _take_turn(self) -> None:
        try:
            self._write_segment()
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()

    def clear(self) -> None:
        """Forget everything; what was written must be known elsewhere by now."""
        self._segment = {}
        # From the end, so that what is left by an interruption has no gap.
        while self._number >= 0:
            self._state.delete(_name(self._number))
            self._number -= 1
        self._number = 0

    def _write_segment(self) -> None:
        with self._lock:
            change, content = self._changes, dict(self._segment)
        self._state.set(_name(self._number), list(content.values()))
        self._written = change
        if len(json.dumps(content)) >= _FULL:
            with self._lock:
                # Entries that came meanwhile begin the next segment.
                self._segment = {key: new for key, new in self._segment.items() if content.get(key) is not new}
                self._number += 1


def _name(number: int) -> str:
    return f"docconv_journal_{number:05d}"
