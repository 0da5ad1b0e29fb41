"""The record of a batch: what write() has returned is durable, and no kill and no other task destroys any of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from airflow_provider_docconv.batch import record as record_module
from airflow_provider_docconv.batch.record import (
    ConversionRequest,
    DocumentState,
    Entry,
    Header,
    Known,
    Record,
    RecordedError,
)
from airflow_provider_docconv.exceptions import ConversionFailed, DestinationUnwritable, RecordDamaged, StoreUnavailable
from airflow_provider_docconv.transfer.addresses import path_name
from airflow_provider_docconv.transfer.object_storage import to_path
from tests.support.batches import empty_batch
from tests.support.places import Bucket, Place
from tests.support.proxies import S3_DENIES, gate

TASK = "d.t"
HEADER = Header("run-1", 1_764_000_000.5, {"slides": {"start": 3, "status": 40}})
DAY = 86400 * 1_000_000
SURROGATES = "caf\udce9 ☃\n"


def request(name: str = "a", **values: Any) -> ConversionRequest:
    source, destination = f"s3://b/{name}.pptx", f"s3://b/pdf/{name}.pdf"
    asked = ConversionRequest(f"key of {name}", source, destination, "pdf", "spec", "f" * 64, versioned=True, size=7)
    return replace(asked, **values)


def entry(name: str = "a", **values: Any) -> Entry:
    return replace(
        Entry(request(name).key, "f" * 64, DocumentState.STARTED, "run-1", 2, operation_id=f"op-{name}"), **values
    )


def documents(*entries: Entry | str) -> list[tuple[ConversionRequest, Entry]]:
    """Return the documents of a fold: those that are called "a", "b", … are named after their operation."""
    known = [entry(each) if isinstance(each, str) else each for each in entries]
    return [(request(str(each.operation_id).removeprefix("op-")), each) for each in known]


def write(record: Record, each: Entry) -> Entry:
    """Record an entry, and return it when it is durable."""
    return record.write(each).result(60)


def read(folder: Any, task: str = TASK) -> Known:
    return Record(folder, task).read()


def names(known: Known) -> set[str]:
    return {str(each.operation_id).removeprefix("op-") for each in known.entries.values()}


class Spy:
    """Watches the record's writes, and makes them slow or fail."""

    def __init__(self, writing: Callable[[Any], AbstractContextManager[BinaryIO]]) -> None:
        self._writing = writing
        self.count = 0
        self.pause = 0.0
        self.before: Callable[[], object] = lambda: None
        self.fails: Callable[[], bool] = lambda: False

    @contextmanager
    def __call__(self, path: Any) -> Iterator[BinaryIO]:
        self.count += 1
        time.sleep(self.pause)
        self.before()
        with self._writing(path) as file:
            yield file
            if self.fails():
                raise OSError("the store does not answer")


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Spy:
    spy = Spy(record_module.writing)
    monkeypatch.setattr(record_module, "writing", spy)
    return spy


@pytest.fixture
def folder(place: Place) -> Any:
    return to_path(f"{place.uri}/.docconv/record")


@pytest.fixture
def local(tmp_path: Path) -> Any:
    (tmp_path / "record" / TASK).mkdir(parents=True)
    return to_path(f"file://{tmp_path}/record")


def objects(folder: Any, task: str = TASK) -> list[str]:
    folder.fs.invalidate_cache()
    found = folder.fs.find((folder / task).path)
    return sorted(name.rpartition("/")[2] for name in found)


# Segments: what is written before the next thing happens.


def test_before_the_first_run_there_is_nothing(folder: Any) -> None:
    assert read(folder) == Known()


def test_entries_come_back_as_they_were_written(folder: Any) -> None:
    record = Record(folder, TASK)
    results = ({"uri": f"s3://b/{SURROGATES}", "size": 5, "sha256": "0" * 64},)
    error = ConversionFailed("no", service_message="😀\u2028\0\ud800", operation_id="op-1")
    written = [
        write(record, entry("a")),
        write(record, entry("b", state=DocumentState.DELIVERED, results=results, started=1.5, ended=2.0, waited=0.0)),
        write(record, entry("c").failed(error, state=DocumentState.REJECTED, attempts=3, lost_replies=1)),
    ]
    known = read(folder)
    assert list(known.entries.values()) == list(known.own.values()) == written
    assert known.header is None
    recorded = known.entries[written[2].key].error or pytest.fail("there is no error")
    assert (type(recorded.error()), str(recorded.error())) == (ConversionFailed, str(error))


def test_the_newest_entry_of_a_document_counts(folder: Any) -> None:
    record = Record(folder, TASK)
    for attempts in (1, 2, 3):
        write(record, entry("a", attempts=attempts))
        write(record, entry("b", attempts=10 * attempts))
    assert sorted(each.attempts for each in read(folder).entries.values()) == [3, 30]


def test_every_entry_is_durable_when_its_write_returns(folder: Any) -> None:
    record = Record(folder, TASK)

    def write_five(writer: int) -> None:
        for number in range(5):
            written = write(record, entry(f"{writer}-{number}"))
            assert read(folder).entries[written.key] == written

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_five, range(8)))
    known = read(folder)
    assert len(known.entries) == len({each.seq for each in known.entries.values()}) == 40


def test_who_comes_while_a_write_is_under_way_goes_into_the_next_one(folder: Any, writes: Spy) -> None:
    record, entered, go = Record(folder, TASK), threading.Event(), threading.Event()
    writes.before = lambda: (entered.set(), go.wait(60))
    futures = [record.write(entry("0"))]
    assert entered.wait(60)
    futures += [record.write(entry(f"{number}")) for number in range(1, 16)]
    assert not any(future.done() for future in futures)
    go.set()
    written = [future.result(60) for future in futures]
    assert {each.key: each for each in written} == read(folder).entries
    assert writes.count == 2


def test_a_write_can_not_be_cancelled(folder: Any) -> None:
    future = Record(folder, TASK).write(entry("a"))
    assert not future.cancel()
    written = future.result(60)
    assert read(folder).entries == {written.key: written}


def test_a_write_that_fails_is_seen_by_its_writer_and_loses_nothing(folder: Any, writes: Spy) -> None:
    record = Record(folder, TASK)
    write(record, entry("a"))
    writes.fails = lambda: True
    with pytest.raises(StoreUnavailable, match=r"could not write the batch's record at .* does not answer"):
        write(record, entry("b"))
    both = [record.write(entry(name)) for name in "cd"]
    errors = [future.exception(60) for future in both]
    assert [type(error) for error in errors] == [StoreUnavailable] * 2
    assert errors[0] is not errors[1]  # Each document's failure is its own.
    assert names(read(folder)) == {"a"}
    writes.fails = lambda: False
    write(record, entry("e"))
    assert names(read(folder)) == {"a", "b", "c", "d", "e"}


def test_what_a_failed_write_has_left_does_not_outlive_what_came_after(folder: Any, writes: Spy) -> None:
    record = Record(folder, TASK)
    before = write(record, entry(state=DocumentState.WAITING, operation_id=None))
    writes.fails = lambda: True
    with pytest.raises(StoreUnavailable):
        write(record, replace(before, state=DocumentState.SENT))
    undone = record.stamp(before)
    writes.fails = lambda: False
    write(record, entry("b"))
    assert read(folder).entries[before.key] == undone


def test_each_writer_learns_whether_its_own_write_failed(folder: Any, writes: Spy) -> None:
    record, lock, turn = Record(folder, TASK), threading.Lock(), iter(range(10**6))
    writes.pause = 0.001
    writes.fails = lambda: next(turn) % 3 == 0

    def is_written(number: int) -> bool:
        try:
            written = write(record, entry(f"{number}"))
        except StoreUnavailable:
            return False
        with lock:
            assert read(folder).entries[written.key] == written
        return True

    with ThreadPoolExecutor(8) as pool:
        written = sum(pool.map(is_written, range(48)))
    assert 0 < written < 48
    writes.fails = lambda: False
    write(record, entry("last"))
    assert names(read(folder)) == {*map(str, range(48)), "last"}


# The order of entries.


def test_numbers_increase_although_the_clock_goes_back(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now, written = time.time_ns(), []
    for day in (0, -1, -2, 3, 2):
        record = Record(local, TASK)
        record.read()
        monkeypatch.setattr(time, "time_ns", lambda day=day: now + day * 86400 * 10**9)
        written += [write(record, entry("a", attempts=len(written))), record.stamp(entry("b"))]
        record.fold(HEADER, documents("a", "b"))
        assert read(local).entries[entry("a").key] == written[-2]
    assert [each.seq for each in written] == sorted({each.seq for each in written})
    assert len(objects(local)) == 1


def test_what_another_task_has_written_is_older_than_what_is_written_next(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    with monkeypatch.context() as fast:
        fast.setattr(time, "time_ns", lambda: now + 10**15)
        ahead = write(Record(folder, "d.other"), entry("a"))
    record = Record(folder, TASK)
    assert record.read().entries == {ahead.key: ahead}
    written = write(record, entry("a", attempts=1))
    assert written.seq == ahead.seq + 1
    assert read(folder).entries == {written.key: written}


def test_a_document_that_has_changed_is_not_taken_for_a_delivered_one(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the objects that say so could not be deleted."""
    monkeypatch.setattr(folder.fs, "rm_file", refuse)
    delivered = Record(folder, TASK)
    write(delivered, entry("a", state=DocumentState.DELIVERED))
    delivered.fold(HEADER, documents(entry("a", state=DocumentState.DELIVERED)))
    changed = Record(folder, TASK)
    changed.read()
    waiting = changed.stamp(entry("a", state=DocumentState.WAITING, fingerprint="0" * 64))
    changed.fold(Header("run-2", 2.0), [(request("a"), waiting)])
    assert len(objects(folder)) == 3
    known = read(folder)
    assert known.entries == known.own == {waiting.key: waiting}


def refuse(*_: Any) -> None:
    raise PermissionError("no rights to delete")


# Folds.


def test_a_fold_replaces_all_objects_of_its_task(folder: Any) -> None:
    record = Record(folder, TASK)
    written = [write(record, entry(name)) for name in "abc"]
    unlisted = write(record, entry("no longer listed"))
    assert record.objects == 4
    stamped = record.stamp(entry("d", state=DocumentState.WAITING))
    assert "d" not in names(read(folder))
    record.fold(HEADER, documents(*written, stamped))
    assert (len(objects(folder)), record.objects) == (1, 1)
    known = read(folder)
    assert known.own == known.entries == {each.key: each for each in (*written, stamped, unlisted)}
    assert (known.header, known.requests) == (HEADER, [request(name) for name in "abcd"])


def test_the_next_try_folds_what_the_killed_one_has_written(folder: Any) -> None:
    killed = Record(folder, TASK)
    killed.fold(HEADER, documents("a", "b"))
    for name in "abc":
        write(killed, entry(name, attempts=1))
    record = Record(folder, TASK)
    known = record.read()
    assert {each.attempts for each in known.entries.values()} == {1}
    record.fold(Header("run-2", 2.0), documents(*known.entries.values()))
    assert len(objects(folder)) == 1
    again = read(folder)
    assert (again.entries, again.header) == (known.entries, Header("run-2", 2.0))


@pytest.mark.parametrize("error", [None, FileNotFoundError("404 Not Found")], ids=["an empty list", "not found"])
def test_a_record_that_is_not_seen_at_one_glance_is_not_taken_for_a_new_one(
    error: Exception | None, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything would be converted, and paid, once more."""
    delivered = write(Record(folder, TASK), entry("a", state=DocumentState.DELIVERED))

    def find_nothing(*_: Any) -> list[str]:
        if error:
            raise error
        return []

    record = Record(folder, TASK)
    with monkeypatch.context() as passing:
        passing.setattr(folder.fs, "find", find_nothing)
        assert record.read() == Known()
    record.stamp(replace(delivered, state=DocumentState.WAITING))
    with pytest.raises(StoreUnavailable, match="was listed as empty, but is not"):
        record.fold(HEADER, documents(entry("a", state=DocumentState.WAITING)))
    assert read(folder).entries == {delivered.key: delivered}
    with monkeypatch.context() as lasting:
        lasting.setattr(folder.fs, "find", find_nothing)
        record = Record(folder, TASK)
        record.read()
        with pytest.raises(StoreUnavailable):
            record.fold(HEADER, documents("a"))
    assert read(folder).entries == {delivered.key: delivered}


def test_tasks_that_begin_a_record_at_the_same_time_do_not_disturb_each_other(folder: Any) -> None:
    tasks = [Record(folder, f"d.t.{number}") for number in range(3)]
    assert [record.read() for record in tasks] == [Known()] * 3
    for number, record in enumerate(tasks):
        record.fold(HEADER, documents(f"a{number}"))
    assert names(read(folder)) == {"a0", "a1", "a2"}


def test_an_empty_batch_has_a_record(folder: Any) -> None:
    Record(folder, TASK).fold(HEADER, [])
    assert read(folder) == Known(header=HEADER)


def test_requests_come_back_in_their_order_and_only_those_of_the_newest_fold(folder: Any) -> None:
    asked = [request(SURROGATES), request("b", size=None), request("a", spec="another", versioned=False)]
    Record(folder, TASK).fold(HEADER, documents("old"))
    Record(folder, TASK).fold(HEADER, [(each, Entry(each.key, each.fingerprint)) for each in asked])
    Record(folder, "d.other").fold(Header("run-9", 9.0), documents("of another task"))
    known = read(folder)
    assert (known.requests, known.header) == (asked, HEADER)
    assert len(known.own) == 4
    assert len(known.entries) == 5


def test_what_is_written_while_a_fold_is_under_way_is_kept(folder: Any, writes: Spy) -> None:
    record = Record(folder, TASK)
    before = write(record, entry("a"))

    def write_another() -> None:
        writes.before = lambda: None
        write(record, entry("a", attempts=5))
        write(record, entry("b"))

    writes.before = write_another
    # The pipeline's thread has not yet got round to keep what its write has returned.
    record.fold(HEADER, documents(before))
    assert names(read(folder)) == {"a", "b"}
    assert read(folder).entries[before.key].attempts == 5
    record.fold(HEADER, documents(before))
    assert len(objects(folder)) == 1
    assert names(read(folder)) == {"a", "b"}
    assert read(folder).entries[before.key].attempts == 5


def test_what_is_known_without_being_written_is_in_the_fold(folder: Any) -> None:
    record = Record(folder, TASK)
    ended = replace(write(record, entry("a")), ended=3.0)
    record.fold(HEADER, documents(ended))
    assert read(folder).entries[ended.key] == ended


def test_what_is_no_longer_listed_is_remembered_for_ninety_days(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    for days in (9999, 91, 89, 0):
        monkeypatch.setattr(time, "time_ns", lambda days=days: now - days * DAY * 1000)
        record = Record(folder, TASK)
        record.read()
        write(record, entry(f"{days}"))
        if days == 9999:
            ancient = write(record, entry("listed"))
    record.fold(HEADER, documents(ancient))
    assert names(read(folder)) == {"listed", "89", "0"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [0, 3, 20_000])
def test_a_fold_that_fails_or_is_killed_loses_nothing(
    after: int, error: BaseException, place: Place, folder: Any
) -> None:
    def broken() -> Iterator[tuple[ConversionRequest, Entry]]:
        for number in range(after):
            yield request(f"{number}"), entry(f"{number}")
        raise error

    record = Record(folder, TASK)
    written = write(record, entry("a"))
    with pytest.raises((DestinationUnwritable, StoreUnavailable, KeyboardInterrupt)):
        record.fold(HEADER, broken())
    assert read(folder).entries == {written.key: written}
    assert len(place.files()) == 1
    record.fold(HEADER, documents(written))
    assert read(folder) == Known({written.key: written}, {written.key: written}, HEADER, [request("a")])
    assert len(place.files()) == 1


@pytest.mark.parametrize("deleted", range(5))
def test_a_kill_while_objects_are_deleted_loses_nothing(
    deleted: int, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(folder, TASK)
    record.fold(Header("run-0", 1.0), documents("a", "b"))
    written = [write(record, entry(name, attempts=7)) for name in "abc"]
    delete, left, lock = folder.fs.rm_file, iter(range(deleted)), threading.Lock()

    def delete_some(path: str) -> None:
        with lock:
            next(left)
        delete(path)

    monkeypatch.setattr(folder.fs, "rm_file", delete_some)
    record.fold(HEADER, documents(*written))
    assert len(objects(folder)) == 1 + 4 - deleted
    second = Record(folder, TASK)
    known = second.read()
    assert known.entries == {each.key: each for each in written}
    assert (known.header, known.requests) == (HEADER, [request(name) for name in "abc"])
    monkeypatch.undo()
    second.fold(HEADER, documents(*written))
    assert len(objects(folder)) == 1


@pytest.mark.servers
def test_a_bucket_without_the_right_to_delete_keeps_a_correct_record(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = json.loads(json.loads(bucket.connection)["extra"])["endpoint_url"]
    with gate(url, S3_DENIES, "DELETE") as gated:
        monkeypatch.setenv("AIRFLOW_CONN_RECORD_KEEPER", bucket.connection.replace(url, gated))
        folder = to_path(f"s3://record_keeper@{bucket.name}/{tmp_path.name}/.docconv/record")
        for attempts in (1, 2, 3):
            record = Record(folder, TASK)
            record.read()
            newest = write(record, entry("a", attempts=attempts))
            record.fold(HEADER, documents(newest))
            assert read(folder).entries == {newest.key: newest}
            # And the proof that the record was really new.
            assert len(objects(folder)) == 1 + 2 * attempts


def test_two_workers_of_one_task_destroy_nothing(folder: Any) -> None:
    """As where a worker lives on whose task was given to another."""
    zombie = Record(folder, TASK)
    zombie.fold(HEADER, documents("a", "b", "c"))
    write(zombie, entry("a", attempts=1))
    worker = Record(folder, TASK)
    known = worker.read()
    unseen = write(zombie, entry("b", attempts=2))
    written = write(worker, entry("c", attempts=3))
    worker.fold(HEADER, documents(*known.entries.values()))
    assert sorted(each.attempts for each in read(folder).entries.values()) == [1, 2, 3]
    zombie.fold(HEADER, documents(unseen))
    found = read(folder).entries
    assert sorted(each.attempts for each in found.values()) == [1, 2, 3]
    assert (found[unseen.key], found[written.key]) == (unseen, written)


ACTIONS = st.tuples(
    st.integers(0, 2), st.sampled_from(["write", "write", "write", "fold", "restart"]), st.sampled_from("abc")
)


@given(st.lists(ACTIONS, min_size=1, max_size=25))
def test_whatever_workers_do_the_newest_entries_are_kept(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[int, str, str]]
) -> None:
    """Two of these workers hold the same task."""
    folder = to_path(f"file://{tmp_path_factory.mktemp('place')}/record")
    tasks = (TASK, TASK, "d.u")
    workers = [Record(folder, task) for task in tasks]
    known: list[dict[str, Entry]] = [{}, {}, {}]
    newest: dict[str, Entry] = {}
    for number, (worker, action, name) in enumerate(actions):
        if action == "write":
            # A worker continues from all that was written before: here, there are no two clocks.
            written = write(workers[worker], entry(name, attempts=number))
            known[worker][name] = newest[written.key] = written
        elif action == "fold":
            workers[worker].fold(HEADER, documents(*known[worker].values()))
        else:
            workers[worker] = Record(folder, tasks[worker])
            found = workers[worker].read()
            assert found.entries == newest
            known[worker] = {str(each.operation_id)[-1]: each for each in found.entries.values()}
    assert read(folder).entries == newest


# Other tasks.


def test_all_tasks_are_read_and_the_own_one_told_apart(folder: Any) -> None:
    for number in range(3):
        Record(folder, f"d.t.{number}").fold(HEADER, documents(f"a{number}", "shared"))
    for number in range(3):
        known = read(folder, f"d.t.{number}")
        assert names(known) == {"a0", "a1", "a2", "shared"}
        assert set(known.own) == {entry(f"a{number}").key, entry("shared").key}
    record = Record(folder, "d.t.1")
    record.read()
    record.fold(HEADER, [])
    assert [len(objects(folder, f"d.t.{number}")) for number in range(3)] == [1, 1, 1]


def test_a_task_may_fold_while_another_one_reads(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As chunks of one folder do, of which one begins while the other ends."""
    other = Record(folder, "d.other")
    written = [write(other, entry(name)) for name in "abcdef"]
    mine = write(Record(folder, TASK), entry("mine"))
    read_whole, lock, folded = record_module.read_whole, threading.Lock(), 0

    def meanwhile(path: Any) -> bytes:
        nonlocal folded
        with lock:
            if folded < 3:
                folded += 1
                other.fold(HEADER, documents(*written))
        return read_whole(path)

    monkeypatch.setattr(record_module, "read_whole", meanwhile)
    known = read(folder)
    assert folded == 3
    assert known.entries == {each.key: each for each in (*written, mine)}
    assert known.own == {mine.key: mine}


def test_other_files_in_the_folder_do_not_matter(place: Place, folder: Any) -> None:
    place.put(
        *(f".docconv/record/{name}" for name in ("notes.txt", "notes.jsonl")),
        *(f".docconv/record/{TASK}/{name}" for name in (".docconv-12.part", ".x.jsonl", "0.jsonl.bak", "a/b.jsonl")),
        content=b"garbage",
    )
    record = Record(folder, TASK)
    record.read()
    record.fold(HEADER, documents("a"))
    assert names(read(folder)) == {"a"}
    assert len(place.files()) == 7


def test_a_destination_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    record = Record(to_path(f"file://{tmp_path}/file/record"), TASK)
    assert record.read() == Known()
    with pytest.raises(DestinationUnwritable):
        write(record, entry("a"))
    with pytest.raises(DestinationUnwritable):
        record.fold(HEADER, documents("a"))


def test_a_store_that_can_not_be_read_is_an_error(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Record(folder, TASK), entry("a"))
    monkeypatch.setattr(record_module, "read_whole", refuse)
    with pytest.raises(DestinationUnwritable, match=r"could not read the batch's record in .*no rights"):
        read(folder)


# Damage.


def as_line(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"


HEAD = as_line(header=asdict(HEADER))
ENTRY: dict[str, Any] = json.loads(json.dumps(asdict(entry(results=({"uri": "u", "size": 1, "sha256": "x"},)))))
REQUEST: dict[str, Any] = asdict(request())
ERROR: dict[str, Any] = asdict(RecordedError.of(ConversionFailed("no")))
GOOD = as_line(request=REQUEST, entry=ENTRY)
MISSING = object()


def without_missing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not MISSING}


def put(local: Any, content: bytes) -> None:
    Path(local.path, TASK, "00000000000000000001-abcd.jsonl").write_bytes(content)


def check_is_damaged(local: Any, line: int) -> None:
    where = rf"could not read line {line} of .*/record/d\.t/00000000000000000001-abcd\.jsonl \(.+\)"
    for task in (TASK, "d.other"):
        with pytest.raises(RecordDamaged, match=where) as raised:
            read(local, task)
        assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "line",
    [
        *(GOOD[:-20], b"<!DOCTYPE html>\n", b"\n", b"\xff\xfe\x00\n", b"null\n", b"5\n", b'"text"\n', b"[]\n", b"{}\n"),
        *(b"[" * 10**5, b'{"entry": ' * 10**5, b'{"entry": ' + b"9" * 5000 + b"}\n", b'{"error": "Forbidden"}\n'),
        *(b'{"header": null}\n', b'{"header": 1}\n', b'{"header": {}}\n', b'{"header": []}\n', b'{"entry": null}\n'),
        *(as_line(request=REQUEST), as_line(entry=[1]), b"x" * 10**6, b'{"' + b"x" * 10**6 + b'": 1}\n'),
    ],
    ids=range(22),
)
def test_a_line_that_is_none_is_an_error_that_says_where(line: bytes, local: Any) -> None:
    put(local, HEAD + GOOD + line)
    check_is_damaged(local, 3)


def test_an_empty_object_is_an_error(local: Any) -> None:
    """As a power cut leaves it: whatever the object has replaced is no longer known."""
    put(local, b"")
    with pytest.raises(RecordDamaged, match=r"could not read .*-abcd\.jsonl \(it is empty\)"):
        read(local)


@pytest.mark.parametrize(
    "odd",
    [
        *({"key": 5}, {"key": None}, {"key": MISSING}, {"fingerprint": []}, {"fingerprint": MISSING}),
        *({"state": "gone"}, {"state": ["waiting"]}, {"state": {}}, {"state": "skipped"}, {"state": "failed"}),
        *({"operation_id": None}, {"operation_id": ""}, {"operation_id": 5}, {"run": 5}, {"run": None}),
        *({"seq": "1"}, {"seq": 1.5}, {"seq": -1}, {"seq": 2**63}, {"seq": 10**30}, {"seq": 1e300}, {"seq": None}),
        *({"max_tries": "2"}, {"max_tries": -1}, {"attempts": []}, {"attempts": None}, {"lost_replies": {}}),
        *({"started": "yesterday"}, {"ended": []}, {"waited": float("inf")}, {"waited": float("nan")}),
        *({"started": 1e300}, {"started": -1e300}, {"started": 10**400}, {"started": 10**30}),
        *({"results": "x"}, {"results": {}}, {"results": [5]}, {"results": [{}]}, {"results": [{"uri": "u"}]}),
        *({"results": [{"uri": "u", "size": "1", "sha256": "x"}]}, {"results": [{"uri": 1, "size": 1, "sha256": "x"}]}),
        *({"error": "no"}, {"error": {}}, {"error": {**ERROR, "type": None}}, {"error": {**ERROR, "what": 5}}),
        *(
            {"conditions": None},
            {"conditions": 5},
            {"error": {"type": "ConversionFailed"}},
            {"error": {**ERROR, "remedy": []}},
            {"source_sha256": 5},
        ),
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_an_entry_of_another_form_is_an_error_that_says_where(odd: dict[str, Any], local: Any) -> None:
    put(local, HEAD + as_line(entry=without_missing({**ENTRY, **odd})))
    check_is_damaged(local, 2)


@pytest.mark.parametrize(
    "odd",
    [
        *({"source": 5}, {"source": MISSING}, {"destination": None}, {"target_format": 1}, {"fingerprint": None}),
        *(
            {"spec": 0},
            {"spec": None},
            {"spec": MISSING},
            {"key": 5},
            {"key": MISSING},
            {"versioned": 1},
            {"size": "7"},
            {"size": -7},
        ),
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_a_request_of_another_form_is_an_error_that_says_where(odd: dict[str, Any], local: Any) -> None:
    put(local, HEAD + as_line(request=without_missing({**REQUEST, **odd}), entry=ENTRY))
    check_is_damaged(local, 2)


@pytest.mark.parametrize(
    "odd",
    [
        *({"form": form} for form in (0, 2, "1", None, [1], {}, MISSING, "x" * 10**6)),
        *({"began": began} for began in ("now", [5], {}, None, MISSING, 1e400, 10**400, 1e300, -1e300, -1.0)),
        *({"run": 5}, {"run": MISSING}, {"calls": []}, {"calls": {"docs": 3}}, {"calls": {"docs": {"start": "3"}}}),
        {"calls": {"docs": {"start": -1}}},
    ],
    ids=lambda odd: str(odd)[:60],
)
def test_a_header_of_another_form_or_version_is_an_error_that_says_where(odd: dict[str, Any], local: Any) -> None:
    put(local, as_line(header=without_missing({**asdict(HEADER), **odd})) + GOOD)
    check_is_damaged(local, 1)


def test_another_version_is_named(local: Any) -> None:
    put(local, as_line(header={**asdict(HEADER), "form": 2}))
    with pytest.raises(RecordDamaged, match=r"it is of version 2, and this is version 1"):
        read(local)


def test_what_a_later_version_may_add_is_passed_over(local: Any) -> None:
    more = {"more": [1]}
    put(
        local,
        as_line(header={**asdict(HEADER), **more}, **more)
        + as_line(request={**REQUEST, **more}, entry={**ENTRY, "error": {**ERROR, **more}, **more}, **more),
    )
    known = read(local)
    assert (known.header, known.requests) == (HEADER, [request()])
    [found] = known.entries.values()
    assert json.loads(json.dumps(asdict(replace(found, error=None)))) == ENTRY
    assert found.error == RecordedError.of(ConversionFailed("no"))


@given(st.binary(max_size=60), st.integers(0, len(HEAD + GOOD)), st.integers(0, 60))
def test_whatever_has_happened_to_an_object_it_is_read_or_an_error_says_so(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, place: int, cut: int
) -> None:
    root = tmp_path_factory.mktemp("place")
    (root / "record" / TASK).mkdir(parents=True)
    content = HEAD + GOOD
    (root / "record" / TASK / "1.jsonl").write_bytes(content[:place] + junk + content[place + cut :])
    folder = to_path(f"file://{root}/record")
    record = Record(folder, TASK)
    with suppress(RecordDamaged):
        known = record.read()
        # What can be read can be written and read again.
        pairs = [(each, Entry(each.key, each.fingerprint)) for each in known.requests]
        record.fold(known.header or HEADER, pairs)
        write(record, entry("b"))
        again = read(folder)
        assert set(again.entries) >= {request("b").key, *(each.key for each in known.requests)}


# Names.


@given(
    st.text(min_size=1, max_size=12)
    | st.sampled_from(["..", ".", "/", "../../x", "a/b", "a.b", "~", "a\0b", "%2E", "C:\\x", "x.jsonl", "?#*[a]{b}"])
)
def test_no_name_of_a_dag_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.mktemp("place")
    task = f"{path_name(name)}.{path_name(name)}"
    folder = to_path(f"file://{root}/in/record")
    record = Record(folder, task)
    written = write(record, entry("a"))
    [path] = (path for path in root.rglob("*") if path.is_file())
    assert path.parent == root / "in" / "record" / task
    assert read(folder, task).own == {written.key: written}


IDS = st.text(min_size=1, max_size=4) | st.sampled_from(["a.b", "a", "b", "c", "1", "a.1"])
TASKS = st.tuples(IDS, IDS, st.sampled_from([-1, 0, 1, 11]))


@given(TASKS, TASKS)
def test_two_tasks_never_share_a_folder(
    tmp_path_factory: pytest.TempPathFactory, first: tuple[str, str, int], second: tuple[str, str, int]
) -> None:
    root = tmp_path_factory.mktemp("place")
    for dag_id, task_id, map_index in {first, second}:
        ti = {"dag_id": dag_id, "task_id": task_id, "map_index": map_index}
        write(empty_batch(root, **ti).record, entry())
    assert len(list((root / "pdf" / ".docconv" / "record").iterdir())) == len({first, second})


@pytest.mark.parametrize(
    "ids",
    [
        {"dag_id": "a" * 250, "task_id": "t"},
        {"dag_id": "d", "task_id": "group." * 41 + "task"},
        {"dag_id": "d" * 130, "task_id": "t" * 130, "map_index": 1023},
        {"dag_id": "überweisung_" * 20, "task_id": "日本語" * 80},
        {"run_id": "manual__" + "r" * 242},
    ],
    ids=range(5),
)
def test_the_longest_names_that_airflow_takes_have_a_folder(ids: dict[str, Any], tmp_path: Path) -> None:
    found = empty_batch(tmp_path, **ids)
    found.load(resumed=False)
    write(found.record, entry())
    found.fold()
    found.write_report(found.summary())
    own = tmp_path / "pdf" / ".docconv"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert all(path.is_relative_to(own) for path in files)
    assert len(list((own / "record").iterdir())) == 1
