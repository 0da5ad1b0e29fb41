"""
The record of a batch: what is known of each document, in memory and durable beside the results.

A record is a folder of object storage, ``.docconv/record`` below the results, with a folder for each task. Its objects
are never changed: each is written once, under a name that sorts by time, with a line of JSON for each entry. The newest
entry of a document counts, by a sequence number that never goes back. A *segment* holds what has just happened, and is
written before the next thing happens. *Folding* writes all that is known to one new object, and then deletes the
objects that this replaces. So neither a killed worker, nor one that continues after another took over its task, can
destroy anything. Each task folds its own objects and reads those of all: chunks of a folder change from run to run.
"""

from __future__ import annotations

import copy
import io
import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec
from msgspec.structs import replace

from airflow_provider_docconv.exceptions import deserialize, serialize
from airflow_provider_docconv.services.errors import DocConvError, RecordDamaged, StoreUnavailable
from airflow_provider_docconv.testing import delay
from airflow_provider_docconv.transfer.delivery import DeliveredFile
from airflow_provider_docconv.transfer.object_storage import delete, read_whole, store_errors, write_lines, writing

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import ObjectStoragePath

# Where records are, below the folder of the results.
_FOLDER = "/record"
# The version of the lines' form.
_FORM = 1
_encoder = msgspec.json.Encoder()
# A document that is no longer listed is forgotten after 90 days, so that a record does not grow without end.
KEPT_UNLISTED = 90 * 86400 * 1_000_000
# Seconds for which entries are gathered before they are written: many documents change at once, and objects cost.
_GATHERING = 0.02
# Objects that are read or deleted at once.
_AT_ONCE = 8

_LONGEST_NUMBER = len(str(-(2**62)))
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
# Seconds since the epoch, or a span of seconds; no date of a calendar is later than the year 9999.
_Seconds = Annotated[float, msgspec.Meta(gt=-1e11, lt=1e11)]


class DocumentState(StrEnum):
    """What has become of a document of a batch."""

    #: Nothing was sent, or what was sent certainly had no effect.
    WAITING = "waiting"
    #: A start was sent, and its reply has not come.
    SENT = "sent"
    #: The service has returned an operation id.
    STARTED = "started"
    #: The result is at its destination.
    DELIVERED = "delivered"
    #: It was delivered by an earlier run, and has not changed since.
    SKIPPED = "skipped"
    #: The service, or a check of the document, has ruled it out.
    REJECTED = "rejected"
    #: This run has given it up; the next try or run tries again.
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether this run has nothing more to do for the document."""
        return self not in (DocumentState.WAITING, DocumentState.SENT, DocumentState.STARTED)


class Run(msgspec.Struct, frozen=True):
    """
    The run of a Dag that an entry is from.

    :param id: the run's id
    :param max_tries: the task's, which a person's Clear raises and a retry does not
    """

    id: str
    max_tries: int


class ConversionRequest(msgspec.Struct, frozen=True, gc=False):
    """
    A conversion that is asked of a batch.

    :param key: the conversion's name in the record
    :param source: the document's URI
    :param destination: the URI of its result in this run, empty if it can't have one
    :param target_format: the format to convert to
    :param spec: the digest of the item of the operator's ``source`` that it comes from, which has its options
    :param fingerprint: the fingerprint of the document, the target format and the options
    :param versioned: whether the store distinguishes versions of the document
    :param size: its length in bytes, or None if unknown
    :param conn_id: the connection that converts it
    :param gone_since: the run that first missed the document in its folder, although its result was delivered
    :param is_past: whether it is of an earlier run, and kept only because something of it is still at the service
    """

    key: str
    source: str
    destination: str
    target_format: str
    spec: str
    fingerprint: str
    versioned: bool
    size: _Count | None = None
    conn_id: str = ""
    gone_since: str = ""
    is_past: bool = False


class RecordedError(msgspec.Struct, frozen=True, gc=False):
    """Why a document was not converted, as :func:`~airflow_provider_docconv.exceptions.serialize` gives it."""

    type: str
    what: str
    service_message: str | None
    operation_id: str | None
    remedy: str | None

    @classmethod
    def of(cls, error: DocConvError) -> Self:
        """Return an error as it is recorded."""
        values = serialize(error)
        del values["conn_id"]  # The request has it.
        return cls(**values)  # type: ignore[arg-type]  # The type and the words are always there.

    def error(self) -> DocConvError:
        """Return the error."""
        return deserialize(msgspec.structs.asdict(self))


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    What is known of a conversion.

    :param key: the conversion
    :param fingerprint: its fingerprint
    :param state: its state, one of those that don't depend on the run
    :param run: the run of the Dag that wrote this
    :param max_tries: the task's ``max_tries`` then
    :param seq: orders the entries of one conversion, over tries and runs
    :param operation_id: the operation
    :param started: when the service took it, in seconds since the epoch
    :param ended: when its end was noticed, in seconds since the epoch
    :param waited: seconds that it waited in the task before it was sent
    :param attempts: starts that were sent in this run
    :param lost_replies: how many of them got no reply; one that was just sent counts until its reply comes
    :param reported: whether a report names them
    :param source_sha256: the SHA-256 of what was sent, in hexadecimal
    :param results: the delivered files, at most the first hundred
    :param more_results: how many there are beyond these
    :param upload: the address of what was uploaded to the vendor's storage
    :param leftover: whether something of it is to be deleted at the service
    :param refused_in: the run that first refused it as it is
    :param error: why there are none
    :param conditions: a keyed digest of what a refusal depended on beside the document: where the service is, its
        storage, and the options with their passwords. Empty if the refusal does not last
    """

    key: str
    fingerprint: str
    state: DocumentState = DocumentState.WAITING
    run: str = ""
    max_tries: _Count = 0
    seq: _Count = 0
    operation_id: str | None = None
    started: _Seconds | None = None
    ended: _Seconds | None = None
    waited: _Seconds | None = None
    attempts: _Count = 0
    lost_replies: _Count = 0
    reported: bool = False
    source_sha256: str | None = None
    results: tuple[DeliveredFile, ...] = ()
    more_results: _Count = 0
    upload: str | None = None
    leftover: bool = False
    refused_in: str = ""
    error: RecordedError | None = None
    conditions: str = ""

    def __post_init__(self) -> None:
        if self.state is DocumentState.STARTED and not self.operation_id:
            raise ValueError("an operation that was started has an id")
        if self.state in (DocumentState.SKIPPED, DocumentState.FAILED):
            raise ValueError(f"{self.state} is a state within a run, and is not recorded")

    def failed(self, error: DocConvError, **changes: Any) -> Entry:
        """Return it with an error, and with other changes."""
        return replace(self, error=RecordedError.of(error), **changes)

    def lost_replies_in(self, run: Run) -> int:
        """
        Return how many lost replies a run has to report: its own, and those of a run that ended without a report.

        :param run: the run
        """
        return self.lost_replies if self.run == run.id or not self.reported else 0

    def state_in(self, run: Run) -> DocumentState:
        """
        Return what has become of the document in a run.

        :param run: the run
        """
        if self.state is DocumentState.DELIVERED:
            return self.state if self.run == run.id else DocumentState.SKIPPED
        if self.state is DocumentState.REJECTED or not self.error:
            return self.state
        return DocumentState.FAILED


class Decision(StrEnum):
    """What a try of a task does with a document."""

    START = "start"
    RESUME = "resume"
    REPLY_LOST = "reply lost"
    SKIP = "skip"
    REJECT = "reject"


_NEXT = {
    DocumentState.WAITING: Decision.START,
    DocumentState.SENT: Decision.REPLY_LOST,
    DocumentState.STARTED: Decision.RESUME,
    DocumentState.DELIVERED: Decision.SKIP,
    DocumentState.REJECTED: Decision.REJECT,
}


def decide(
    request: ConversionRequest, known: Entry | None, run: Run, *, conditions: str, full_refresh: bool
) -> Decision:
    """
    Decide what this try does with a document.

    :param request: the conversion
    :param known: what is known of it from earlier tries and runs
    :param run: this run
    :param conditions: what a refusal would depend on now, as in :class:`Entry`
    :param full_refresh: whether to repeat everything that earlier runs have done
    """
    if known is None or known.fingerprint != request.fingerprint:
        return Decision.START
    of_this_run = known.run == run.id
    force = full_refresh and not of_this_run
    if known.state is DocumentState.DELIVERED and not of_this_run:
        force = force or not request.versioned
    if known.state is DocumentState.REJECTED:
        cleared = of_this_run and known.max_tries != run.max_tries
        # A refusal lasts only as long as its reasons.
        force = force or cleared or not known.conditions or known.conditions != conditions
    return Decision.START if force else _NEXT[known.state]


class Header(msgspec.Struct, frozen=True):
    """
    The run that a fold was written in.

    :param run: the run's id
    :param began: when its task began, in seconds since the epoch
    :param calls: what the run has cost so far in calls to the services, by connection and kind
    :param left_out: the files that are no documents of the batch, by extension
    :param form: the version of the lines' form
    """

    run: str
    began: Annotated[float, msgspec.Meta(ge=0, lt=1e11)]
    calls: dict[str, dict[str, _Count]] = {}
    left_out: dict[str, _Count] = {}
    form: int = _FORM


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of an object: the header of a fold, or an entry, in a fold together with its request."""

    header: Header | None = None
    request: ConversionRequest | None = None
    entry: Entry | None = None

    def __post_init__(self) -> None:
        if self.header is None and self.entry is None:
            raise ValueError("it holds neither a header nor an entry")


class Known(msgspec.Struct):
    """
    What a record holds.

    :param entries: the newest entry of each document that any task has recorded, by its key
    :param own: the newest entry of each document that this task has recorded, by its key
    :param header: the header of this task's newest fold
    :param requests: the requests in it
    """

    entries: dict[str, Entry] = {}
    own: dict[str, Entry] = {}
    header: Header | None = None
    requests: list[ConversionRequest] = []


class Record:
    """
    The record of a batch, as one task sees it. Threads may share it.

    :param folder: where the tasks' folders are
    :param task: the name of this task's folder
    """

    def __init__(self, folder: ObjectStoragePath, task: str) -> None:
        self.folder = folder
        #: The name of this task's folder.
        self.task = task
        self._own_folder = folder / task
        # Distinguishes the objects of two workers that have the same task.
        self._token = secrets.token_hex(4)
        self._seq = 0
        # What this task has recorded, in this pass or earlier.
        self._own: dict[str, Entry] = {}
        # When it was read, in microseconds since the epoch, if nothing was found; a passing 404 looks the same.
        self._looked_new: int | None = None
        # What the next fold replaces.
        self._objects: list[ObjectStoragePath] = []
        # The documents whose newest entries the next segment takes, among them those of a segment that failed.
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        # The entries of the next segment whose writers wait, and whether a thread writes segments.
        self._waiting: list[tuple[Entry, Future[Entry]]] = []
        # Set when one of them must not wait for others.
        self._urgent = threading.Event()
        self._writing = False

    def read(self) -> Known:
        """
        Return everything that all tasks have recorded, and continue behind it.

        :raises RecordDamaged: if an object is not of the record's form
        :raises DestinationUnwritable: if the store can't be read
        :raises StoreUnavailable: if the store does not answer
        """
        known = Known()
        newest_fold, now = "", time.time_ns() // 1000
        with store_errors(f"could not read the batch's record in {self.folder}"):
            for path, content in self._contents():
                own = path.parent.name == self.task
                for line in _parse(path, content):
                    if own and line.header and path.name >= newest_fold:
                        newest_fold, known.header, known.requests = path.name, line.header, []
                    if own and line.request and path.name == newest_fold:
                        known.requests.append(line.request)
                    if line.entry:
                        self._seq = max(self._seq, line.entry.seq)
                        _keep_newest(known.entries, line.entry)
                        if own:
                            _keep_newest(self._own, line.entry)
                if own:
                    self._objects.append(path)
        known.own = dict(self._own)
        self._looked_new = now if not known.entries and not known.header else None
        return known

    def stamp(self, entry: Entry) -> Entry:
        """Return an entry with a new sequence number; it is durable after the next fold."""
        with self._lock:
            entry = replace(entry, seq=self._next())
            self._own[entry.key] = entry
            return entry

    def write(self, entry: Entry) -> Future[Entry]:
        """
        Record an entry. The future returns it with its sequence number once it is durable, and can't be cancelled.

        Entries that arrive at about the same time, or during a write, are written together; an operation id waits for
        no others, because a kill meanwhile would have it paid twice. The future raises
        :class:`DestinationUnwritable` if that fails, :class:`StoreUnavailable` if the store does not answer.
        """
        durable: Future[Entry] = Future()
        durable.set_running_or_notify_cancel()
        with self._lock:
            entry = replace(entry, seq=self._next())
            self._own[entry.key] = entry
            self._pending.add(entry.key)
            self._waiting.append((entry, durable))
            if entry.state is DocumentState.STARTED:
                self._urgent.set()
            if not self._writing:
                self._writing = True
                threading.Thread(target=self._write_segments, name="docconv-record").start()
        return durable

    def fold(self, header: Header, documents: Iterable[tuple[ConversionRequest, Entry]]) -> None:
        """
        Write all that is known to one object, and delete those that it replaces.

        What this task has recorded of documents that are not among these is kept for 90 days.

        :param header: the header
        :param documents: the documents of the run, with what is known of each
        :raises DestinationUnwritable: if it can't be written
        :raises StoreUnavailable: if the store does not answer
        """
        if self._looked_new is not None:
            self._require_new(self._looked_new, header)
            self._looked_new = None
        with self._lock:
            replaced, self._objects = self._objects, []
            # What these objects hold is here: an entry comes in before its segment is written.
            own = dict(self._own)
        try:
            self._write_object(_fold_lines(header, documents, own))
        except BaseException:
            with self._lock:
                self._objects = replaced + self._objects
            raise
        with ThreadPoolExecutor(_AT_ONCE, "docconv-record") as pool:
            list(pool.map(_delete, replaced))

    def _require_new(self, looked: int, header: Header) -> None:
        """
        Check that a record in which nothing was found was really empty, before anything replaces what it has.

        :param looked: when nothing was found, in microseconds since the epoch
        :raises StoreUnavailable: if its folder does not show what was just written, or shows what is older
        """
        self._write_object([_Line(header=header)])
        with store_errors(f"could not read the batch's record in {self.folder}"):
            found = {str(path): int(path.name.partition("-")[0]) for path in self._list()}
        own = {str(path) for path in self._objects}
        if not found.keys() >= own or any(age < looked for path, age in found.items() if path not in own):
            raise StoreUnavailable(
                f"the batch's record in {self.folder} was listed as empty, but is not: the store, or what stands "
                "between, does not answer reliably, so nothing was sent"
            )

    @property
    def objects(self) -> int:
        """How many objects the next fold replaces."""
        return len(self._objects)

    def _contents(self) -> Iterator[tuple[ObjectStoragePath, bytes]]:
        """Return all objects with their content, the older ones of each task first."""
        seen: set[str] = set()
        with ThreadPoolExecutor(_AT_ONCE, "docconv-record") as pool:
            while new := [path for path in self._list() if str(path) not in seen]:
                gone = 0
                # A few at a time, because those that are read and not parsed yet take memory.
                for few in (new[at : at + _AT_ONCE] for at in range(0, len(new), _AT_ONCE)):
                    for path, content in zip(few, pool.map(_content, few), strict=True):
                        seen.add(str(path))
                        if content is None:
                            gone += 1
                        else:
                            yield path, content
                if not gone:
                    return
                # A task has folded them since they were listed: what they held is in an object that is new.

    def _list(self) -> list[ObjectStoragePath]:
        fs, folder = self.folder.fs, self.folder.path.rstrip("/")
        fs.invalidate_cache()
        try:
            names = fs.find(folder)
        except (FileNotFoundError, NotADirectoryError):  # The drivers differ in what they call a missing folder.
            return []
        parts = (name.rsplit("/", 2) for name in sorted(names))
        return [
            self.folder / task / name
            for parent, task, name in parts
            if name.endswith(".jsonl") and not name.startswith(".") and parent.endswith(_FOLDER)
        ]

    def _next(self) -> int:
        # Continues over tries and runs, whose clocks may differ.
        self._seq = max(self._seq + 1, time.time_ns() // 1000)
        return self._seq

    def _write_segments(self) -> None:
        """Write segments as long as anybody waits for one."""
        while True:
            self._urgent.wait(delay(_GATHERING))
            with self._lock:
                self._urgent.clear()
                if not self._waiting:
                    self._writing = False
                    return
                waiting, self._waiting = self._waiting, []
                pending, self._pending = self._pending, set()
                entries = [self._own[key] for key in pending]
            try:
                self._write_object(_Line(entry=entry) for entry in entries)
            except BaseException as error:
                with self._lock:
                    self._pending |= pending
                for _, durable in waiting:
                    durable.set_exception(copy.copy(error))  # Each waiter adds its own document to it.
            else:
                for entry, durable in waiting:
                    durable.set_result(entry)

    def _write_object(self, lines: Iterable[_Line]) -> None:
        with self._lock:
            path = self._own_folder / f"{self._next():020d}-{self._token}.jsonl"
        with store_errors(f"could not write the batch's record at {path}"), writing(path) as file:
            write_lines(file, map(_encoded, lines))
        with self._lock:
            self._objects.append(path)


def _encoded(line: _Line) -> bytes:
    try:
        return _encoder.encode(line)
    except UnicodeEncodeError:  # Names of files may have lone surrogates, for which UTF-8 has no bytes.
        return json.dumps(msgspec.to_builtins(line)).encode()


def _keep_newest(entries: dict[str, Entry], entry: Entry) -> None:
    before = entries.get(entry.key)
    if before is None or entry.seq >= before.seq:
        entries[entry.key] = entry


def _fold_lines(
    header: Header, documents: Iterable[tuple[ConversionRequest, Entry]], own: dict[str, Entry]
) -> Iterator[_Line]:
    yield _Line(header=header)
    for request, entry in documents:
        recorded = own.pop(entry.key, None)
        yield _Line(request=request, entry=recorded if recorded and recorded.seq > entry.seq else entry)
    oldest = time.time_ns() // 1000 - KEPT_UNLISTED
    for entry in own.values():
        if entry.seq > oldest:
            yield _Line(entry=entry)


def _content(path: ObjectStoragePath) -> bytes | None:
    try:
        return read_whole(path)
    except FileNotFoundError:  # Its task has folded it since it was listed.
        return None


def _delete(path: ObjectStoragePath) -> None:
    with suppress(Exception):  # It is replaced: the next try or run reads it in vain, and deletes it.
        delete(path)


def _parse(path: ObjectStoragePath, content: bytes) -> Iterator[_Line]:
    if not content:
        raise RecordDamaged(f"could not read {path} (it is empty)")
    for number, text in enumerate(io.BytesIO(content), 1):
        try:
            value = json.loads(text, parse_constant=_refuse, parse_int=_integer)
            form = value["header"].get("form") if isinstance(value, dict) and "header" in value else _FORM
            if form != _FORM:
                raise ValueError(f"it is of version {str(form)[:40]}, and this is version {_FORM}")
            yield msgspec.convert(value, _Line)
        except (ValueError, RecursionError, AttributeError, TypeError, msgspec.ValidationError) as error:
            raise RecordDamaged(f"could not read line {number} of {path} ({str(error)[:200]})") from error


def _integer(digits: str) -> int:
    # Before 0.22, msgspec takes an integer that no float can hold for -1.
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"{digits[:_LONGEST_NUMBER]}… is too large a number")
    return int(digits)


def _refuse(constant: str) -> Mapping[str, Any]:
    raise ValueError(f"{constant} is not a number")
