"""
What earlier runs did with the documents of a destination, in files beside the results.

Each task has a file of its own, and reads those of all: chunks of a folder change from night to night. A file has a
line of JSON for the file itself and one for each document. Only whole files are ever seen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from airflow_provider_docconv.batch.entries import Entry, Wanted
from airflow_provider_docconv.services.errors import LedgerDamaged
from airflow_provider_docconv.storage import store_errors, writing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

_FORM = 1
# In seconds since the epoch; no date of a calendar is later than the year 9999.
_LATEST = 1e11
# A document that is no longer listed is forgotten after this, so that a ledger does not grow for ever.
_KEPT_UNLISTED = 90 * 86400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """
    What a ledger's file says of itself.

    :param run: the run that wrote it
    :param began: when that run's task began, in seconds since the epoch
    :param calls: what the run has cost so far in calls to the service, by kind
    :param form: the version of the file's form
    """

    run: str
    began: float
    calls: dict[str, int] = field(default_factory=dict)
    form: int = _FORM


class Ledger:
    """
    The ledger of a destination, as one task sees it.

    :param folder: where the files lie
    :param name: this task's file
    """

    def __init__(self, folder: ObjectStoragePath, name: str) -> None:
        self._folder = folder
        self._file = folder / name

    def entries(self) -> Iterator[tuple[Entry, bool]]:
        """
        Return everything that any task has written down, in no order, each with whether it was this one.

        :raises LedgerDamaged: if a file is not of the ledger's form
        """
        for path in self._files():
            for _, entry in _read(path)[1]:
                yield entry, path.name == self._file.name

    def own(self) -> tuple[Header, Iterator[tuple[Wanted | None, Entry]]] | None:
        """
        Return what this task wrote: the header, and each document with what is known of it; None if it never did.

        :raises LedgerDamaged: if the file is not of the ledger's form
        """
        with store_errors(f"the record of the batch at {self._file} can't be read"):
            there = self._file.exists()
        return _read(self._file) if there else None

    def write(self, header: Header, lines: Iterable[tuple[Wanted, Entry]], others: Iterable[Entry]) -> None:
        """
        Write this task's file anew.

        :param header: the header
        :param lines: the documents of the run
        :param others: what is known of documents that are not among them; the old of it is dropped
        :raises DestinationUnwritable: if that can't be done
        """
        oldest = time.time_ns() // 1000 - _KEPT_UNLISTED
        with store_errors(f"the record of the batch at {self._file} can't be written"), writing(self._file) as file:
            file.write(_line({"ledger": asdict(header)}))
            for wanted, entry in lines:
                file.write(_line({**entry.to_json(), "wanted": asdict(wanted)}))
            for entry in others:
                if entry.seq > oldest:
                    file.write(_line(entry.to_json()))

    def _files(self) -> list[ObjectStoragePath]:
        with store_errors(f"the records in {self._folder} can't be listed"):
            try:
                return sorted((path for path in self._folder.iterdir() if path.name.endswith(".jsonl")), key=str)
            except (FileNotFoundError, NotADirectoryError):  # The drivers differ in what they call a missing folder.
                return []


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _read(path: ObjectStoragePath) -> tuple[Header, Iterator[tuple[Wanted | None, Entry]]]:
    lines = _values(path)
    first = next(lines, {}).get("ledger")
    header: dict[str, Any] = first if isinstance(first, dict) and first.get("form") == _FORM else {}
    began = header.get("began")
    if not isinstance(began, int | float) or not 0 <= began < _LATEST:
        raise LedgerDamaged(f"{path} is no ledger of this version")
    return Header(str(header.get("run")), float(began), _calls(header)), _entries(path, lines)


def _calls(header: dict[str, Any]) -> dict[str, int]:
    calls = header.get("calls")
    return {str(k): v for k, v in calls.items() if isinstance(v, int)} if isinstance(calls, dict) else {}


def _entries(path: ObjectStoragePath, lines: Iterator[dict[str, Any]]) -> Iterator[tuple[Wanted | None, Entry]]:
    for number, values in enumerate(lines, 2):
        try:
            wanted = Wanted.from_json(values["wanted"]) if "wanted" in values else None
            entry = Entry.from_json(values)
        except ValueError as error:
            raise LedgerDamaged(f"line {number} of {path} can't be read ({error})") from error
        yield wanted, entry


def _values(path: ObjectStoragePath) -> Iterator[dict[str, Any]]:
    with store_errors(f"the record of the batch at {path} can't be read"), NamedTemporaryFile() as copy:
        # Not an open file of the driver's: that remembers how long the file was when it was listed, and its task may
        # have replaced it since.
        path.fs.get_file(path.path, copy.name)
        for number, line in enumerate(copy, 1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise LedgerDamaged(f"line {number} of {path} can't be read ({error})") from error
            if not isinstance(value, dict):
                raise LedgerDamaged(f"line {number} of {path} can't be read (it is no object)")
            yield value
