"""The documents of a batch, in a temporary file, so that memory does not grow with their number."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from airflow_provider_docconv.batch.record import ConversionRequest, Entry

_SCHEMA = """
CREATE TABLE documents (key TEXT PRIMARY KEY, position INTEGER, wanted TEXT, entry TEXT, state TEXT) WITHOUT ROWID;
CREATE INDEX by_state ON documents (state, position);
CREATE TABLE known (key TEXT PRIMARY KEY, entry TEXT, seq INTEGER, own INTEGER) WITHOUT ROWID;
"""
#: Beside the report's states: an operation of an earlier try that goes on, and a document whose turn has not come.
UNDER_WAY, WAITING = "under way", "waiting"


class Table:
    """
    A table of the documents, each with what is wanted and what is known of it, in the order of their listing.

    Beside them it holds the entries of documents that are not among them. One thread uses it. It is gone when the
    context ends.
    """

    def __init__(self) -> None:
        # An empty name makes a temporary file that SQLite deletes by itself.
        self._database = sqlite3.connect("", isolation_level=None)
        self._count = 0
        self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, wanted: ConversionRequest) -> ConversionRequest | None:
        """Add a document, or return the one that has its key already."""
        entry = Entry(wanted.key, wanted.fingerprint)
        values = (wanted.key, self._count, json.dumps(asdict(wanted)), json.dumps(entry.to_json()), WAITING)
        try:
            self._database.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            return self.wanted(wanted.key)
        self._count += 1
        return None

    def __len__(self) -> int:
        return self._count

    def wanted(self, key: str) -> ConversionRequest | None:
        """Return what is wanted of a document, if it is there."""
        row = self._one("SELECT wanted FROM documents WHERE key = ?", (key,))
        return ConversionRequest(**json.loads(row[0])) if row else None

    def know(self, entry: Entry, *, own: bool) -> None:
        """
        Take note of what was written down of a document, unless something later is known.

        :param entry: what was written down
        :param own: whether this task did, and so has to remember it
        """
        self._database.execute(
            "INSERT INTO known VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET entry = excluded.entry, "
            "seq = excluded.seq, own = max(own, excluded.own) WHERE excluded.seq >= seq",
            (entry.key, json.dumps(entry.to_json()), entry.seq, own),
        )

    def known(self, key: str) -> Entry | None:
        """Return what :meth:`know` was told last of a document."""
        row = self._one("SELECT entry FROM known WHERE key = ?", (key,))
        return Entry.from_json(json.loads(row[0])) if row else None

    def save(self, entry: Entry, state: str) -> None:
        """Write what has become of a document, and the state that it is in."""
        self._database.execute(
            "UPDATE documents SET entry = ?, state = ? WHERE key = ?", (json.dumps(entry.to_json()), state, entry.key)
        )

    def next(self, state: str, new_state: str) -> tuple[ConversionRequest, Entry] | None:
        """Return the first document in a state, and put it into another one."""
        row = self._one("SELECT key, wanted, entry FROM documents WHERE state = ? ORDER BY position LIMIT 1", (state,))
        if not row:
            return None
        self._database.execute("UPDATE documents SET state = ? WHERE key = ?", (new_state, row[0]))
        return ConversionRequest(**json.loads(row[1])), Entry.from_json(json.loads(row[2]))

    def put_back(self, state: str, new_state: str) -> None:
        """Put all documents in a state into another one."""
        self._database.execute("UPDATE documents SET state = ? WHERE state = ?", (new_state, state))

    def rows(self) -> Iterator[tuple[ConversionRequest, Entry, str]]:
        """Return all documents with their entries and states."""
        with closing(self._database.execute("SELECT wanted, entry, state FROM documents ORDER BY position")) as rows:
            for wanted, entry, state in rows:
                yield ConversionRequest(**json.loads(wanted)), Entry.from_json(json.loads(entry)), state

    def others(self) -> Iterator[Entry]:
        """Return what this task has to remember of documents that are not in the table."""
        question = "SELECT entry FROM known WHERE own AND key NOT IN (SELECT key FROM documents)"
        with closing(self._database.execute(question)) as rows:
            for (entry,) in rows:
                yield Entry.from_json(json.loads(entry))

    def counts(self) -> Counter[str]:
        """Count the documents by state."""
        return Counter(dict(self._database.execute("SELECT state, count(*) FROM documents GROUP BY state").fetchall()))

    def _one(self, question: str, values: Iterable[object]) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._database.execute(question, tuple(values)).fetchone()
        return row
