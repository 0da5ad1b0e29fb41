"""What is known of a batch's documents, in memory and in storage."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import StrEnum
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_docconv.exceptions import serialize
from airflow_provider_docconv.services.errors import RecordDamaged
from airflow_provider_docconv.task_state import TaskState
from airflow_provider_docconv.transfer.object_storage import store_errors, writing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_docconv.services.errors import DocConvError


class Progress(StrEnum):
    """How far a conversion has come, as it was written down."""

    #: Nothing was sent, or what was sent surely did nothing.
    WAITING = "waiting"
    #: A start was sent, and its reply has not come.
    SENT = "sent"
    #: The service has given an operation id.
    STARTED = "started"
    #: The result lies at its destination.
    DELIVERED = "delivered"
    #: The service, or a look at the document, has ruled it out.
    REJECTED = "rejected"


class Decision(StrEnum):
    """What a try of a task does about a conversion."""

    START = "start"
    REATTACH = "reattach"
    REPLY_LOST = "reply lost"
    SKIP = "skip"
    REJECT = "reject"


_GO_ON = {
    Progress.WAITING: Decision.START,
    Progress.SENT: Decision.REPLY_LOST,
    Progress.STARTED: Decision.REATTACH,
    Progress.DELIVERED: Decision.SKIP,
    Progress.REJECTED: Decision.REJECT,
}


def decide(progress: Progress, known: str, wanted: str, *, anew: bool) -> Decision:
    """
    Decide on every try, in every mode, what to do.

    :param progress: how far the conversion that is known has come
    :param known: its fingerprint
    :param wanted: the fingerprint of the conversion that is wanted now
    :param anew: whether a person wants it done again, whatever is known
    """
    return _GO_ON[progress] if known == wanted and not anew else Decision.START


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """
    A conversion that a batch is asked for.

    :param source: the document's URI
    :param destination: the URI of its result, empty if it can't have one
    :param target_format: the format to convert to
    :param item: which item of the operator's ``source`` it comes from, which has its options
    :param fingerprint: of the document, the target format and the options
    :param versioned: whether the store tells one version of the document from another
    :param size: its length in bytes, or None if unknown
    """

    source: str
    destination: str
    target_format: str
    item: int
    fingerprint: str
    versioned: bool
    size: int | None = None

    @classmethod
    def from_json(cls, values: object) -> Self:
        """
        Make it from its plain JSON values.

        :raises ValueError: if it is something else
        """
        return cls(**_checked(values, cls, _WANTED))

    @property
    def key(self) -> str:
        """The conversion's short name in records: one result can have one source only."""
        name = self.destination or self.source
        return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Run:
    """
    The run of a Dag that an entry is from.

    :param id: the run's id
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    """

    id: str
    max_tries: int


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What is known of a conversion; the same in the journal, in the ledger and in memory.

    :param key: the conversion
    :param fingerprint: of what it was
    :param progress: how far it has come
    :param run: the run of the Dag that wrote this
    :param max_tries: and the task's ``max_tries`` then
    :param seq: orders the entries of one conversion, over tries and runs
    :param operation_id: the operation
    :param started: when the service took it, in seconds since the epoch
    :param ended: when its end was noticed
    :param waited: seconds that it waited in the task before it was sent
    :param attempts: starts that were sent in this run
    :param lost_replies: those of them whose reply never came; one that was just sent counts until it has
    :param source_sha256: the SHA-256 of what was sent, in hexadecimal
    :param results: what was delivered
    :param error: why it was not, as :func:`~airflow_provider_docconv.exceptions.serialize` gives it
    """

    key: str
    fingerprint: str
    progress: Progress = Progress.WAITING
    run: str = ""
    max_tries: int = 0
    seq: int = 0
    operation_id: str | None = None
    started: float | None = None
    ended: float | None = None
    waited: float | None = None
    attempts: int = 0
    lost_replies: int = 0
    source_sha256: str | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, without those that say nothing."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in said.items() if value is not None and (value or name in _TIMES)}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """
        Make it from what :meth:`to_json` returned.

        :raises ValueError: if it is something else
        """
        known = _checked(values, cls, _ENTRY)
        entry = cls(**{**known, "progress": Progress(known.get("progress", Progress.WAITING))})
        if entry.progress is Progress.STARTED and not entry.operation_id:
            raise ValueError("what was started has an operation")
        return entry

    def failed(self, error: DocConvError, **changes: Any) -> Self:
        """Return it with an error, and with other changes."""
        return replace(self, error=serialize(error), **changes)

    @property
    def state(self) -> str:
        """What the report calls it, if it is of this run."""
        if self.progress in (Progress.DELIVERED, Progress.REJECTED):
            return self.progress.value
        return "failed" if self.error else "unfinished"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e11 < value < 1e11


def _are_results(value: object) -> bool:
    whole = {"uri": _is_text, "size": _is_count, "sha256": _is_text}
    return isinstance(value, list) and all(
        isinstance(result, Mapping) and all(fits(result.get(key)) for key, fits in whole.items()) for result in value
    )


def _is_error(value: object) -> bool:
    words = ("service_message", "operation_id", "remedy")
    return (
        isinstance(value, Mapping)
        and _is_text(value.get("type"))
        and _is_text(value.get("what"))
        and all(key in value and isinstance(value[key], str | None) for key in words)
    )


_TIMES = ("started", "ended", "waited")
_Checks = Mapping[str, Callable[[object], bool]]
_WANTED: _Checks = {
    **dict.fromkeys(("source", "destination", "target_format", "fingerprint"), _is_text),
    "item": _is_count,
    "size": _is_count,
    "versioned": lambda value: isinstance(value, bool),
}
_ENTRY: _Checks = {
    **dict.fromkeys(("key", "fingerprint", "progress", "run", "operation_id", "source_sha256"), _is_text),
    **dict.fromkeys(("max_tries", "seq", "attempts", "lost_replies"), _is_count),
    **dict.fromkeys(_TIMES, _is_time),
    "results": _are_results,
    "error": _is_error,
}


def _checked(values: object, owner: type[Any], checks: _Checks) -> dict[str, Any]:
    """Return the values of a dataclass's fields, all of the right kind; a later version may have added others."""
    if not isinstance(values, Mapping):
        raise ValueError("it is no object")
    known = {}
    for each in fields(owner):
        optional = each.default is not MISSING or each.default_factory is not MISSING
        value = values.get(each.name)
        if value is None and optional and (each.name not in values or each.default is None):
            continue
        if not checks[each.name](value):
            raise ValueError(f"its {each.name} is {str(value)[:40]!r}")
        known[each.name] = value
    return known


# What the service has said of a document holds until the document changes; other refusals cost nothing to find anew.
_LASTING = frozenset({"ConversionFailed", "DocumentRejected"})


def decide_on(wanted: ConversionRequest, known: Entry | None, run: Run, *, full_refresh: bool) -> Decision:
    """
    Decide what this try does about a document.

    :param wanted: the conversion
    :param known: what is known of it from earlier tries and runs
    :param run: this run
    :param full_refresh: whether everything that earlier runs have done shall be done again
    """
    if known is None:
        return Decision.START
    of_this_run = known.run == run.id
    anew = full_refresh and not of_this_run
    if known.progress is Progress.DELIVERED and not of_this_run:
        anew = anew or not wanted.versioned
    if known.progress is Progress.REJECTED:
        cleared = of_this_run and known.max_tries != run.max_tries
        anew = anew or cleared or (known.error or {}).get("type") not in _LASTING
    return decide(known.progress, known.fingerprint, wanted.fingerprint, anew=anew)


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

        :raises RecordDamaged: if one is not of the journal's form
        """
        while (segment := self._state.get(_name(self._number))) is not None:
            self._number += 1
            try:
                if not isinstance(segment, list):
                    raise ValueError("it is no list")
                entries = [Entry.from_json(values) for values in segment]
            except ValueError as error:
                raise RecordDamaged(f"the task's own record of this batch can't be read ({error})") from error
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

        :raises RecordDamaged: if a file is not of the ledger's form
        """
        for path in self._files():
            for _, entry in _read(path)[1]:
                yield entry, path.name == self._file.name

    def own(self) -> tuple[Header, Iterator[tuple[ConversionRequest | None, Entry]]] | None:
        """
        Return what this task wrote: the header, and each document with what is known of it; None if it never did.

        :raises RecordDamaged: if the file is not of the ledger's form
        """
        with store_errors(f"the record of the batch at {self._file} can't be read"):
            there = self._file.exists()
        return _read(self._file) if there else None

    def write(self, header: Header, lines: Iterable[tuple[ConversionRequest, Entry]], others: Iterable[Entry]) -> None:
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


def _read(path: ObjectStoragePath) -> tuple[Header, Iterator[tuple[ConversionRequest | None, Entry]]]:
    lines = _values(path)
    first = next(lines, {}).get("ledger")
    header: dict[str, Any] = first if isinstance(first, dict) and first.get("form") == _FORM else {}
    began = header.get("began")
    if not isinstance(began, int | float) or not 0 <= began < _LATEST:
        raise RecordDamaged(f"{path} is no ledger of this version")
    return Header(str(header.get("run")), float(began), _calls(header)), _entries(path, lines)


def _calls(header: dict[str, Any]) -> dict[str, int]:
    calls = header.get("calls")
    return {str(k): v for k, v in calls.items() if isinstance(v, int)} if isinstance(calls, dict) else {}


def _entries(
    path: ObjectStoragePath, lines: Iterator[dict[str, Any]]
) -> Iterator[tuple[ConversionRequest | None, Entry]]:
    for number, values in enumerate(lines, 2):
        try:
            wanted = ConversionRequest.from_json(values["wanted"]) if "wanted" in values else None
            entry = Entry.from_json(values)
        except ValueError as error:
            raise RecordDamaged(f"line {number} of {path} can't be read ({error})") from error
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
                raise RecordDamaged(f"line {number} of {path} can't be read ({error})") from error
            if not isinstance(value, dict):
                raise RecordDamaged(f"line {number} of {path} can't be read (it is no object)")
            yield value
